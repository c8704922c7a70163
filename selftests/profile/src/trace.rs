// SPDX-License-Identifier: GPL-2.0

//! What a guest has executed, as the recorder writes it and the profile reads it.
//!
//! A trace is a row of records of eight bytes, little-endian: the lower 48 bits of an address, and how
//! many instructions were executed from there on without a jump. None is where a recording begins.

use std::io::{
    self,
    Read, //
};

/// What a guest executes to have a recording begun, and ended: a NOP of seven bytes, which does
/// nothing on any processor, with a displacement that nobody uses.
pub const BEGIN: [u8; 7] = [0x0f, 0x1f, 0x80, b'P', b'R', b'S', b'1'];
/// See [`BEGIN`].
pub const END: [u8; 7] = [0x0f, 0x1f, 0x80, b'P', b'R', b'S', b'0'];

/// Instructions that were executed one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The address of the first.
    pub start: u64,
    /// How many.
    pub count: u16,
}

impl Run {
    /// Where a recording begins.
    pub const BEGIN: Self = Self { start: 0, count: 0 };

    /// The record of it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        ((self.start << 16) | u64::from(self.count)).to_le_bytes()
    }

    /// What a record says. The upper bits of an address are all like the highest that is kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let record = u64::from_le_bytes(bytes);

        Self {
            start: (record as i64 >> 16) as u64,
            count: record as u16,
        }
    }
}

/// The recordings of a trace, in order.
///
/// # Errors
///
/// Those of `trace`, and `InvalidData` where no recording has begun.
pub fn read(mut trace: impl Read) -> io::Result<Vec<Vec<Run>>> {
    let mut recordings: Vec<Vec<Run>> = Vec::new();
    let mut bytes = Vec::new();

    trace.read_to_end(&mut bytes)?;
    for record in bytes.chunks_exact(8) {
        let run = Run::from_bytes(record.try_into().map_err(io::Error::other)?);

        if run == Run::BEGIN {
            recordings.push(Vec::new());
        } else {
            let last = recordings.last_mut().ok_or(io::ErrorKind::InvalidData)?;
            last.push(run);
        }
    }
    Ok(recordings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(start: u64, count: u16) -> Run {
        Run { start, count }
    }

    #[test]
    fn addresses_keep_their_upper_bits() {
        for run in [run(0xffff_ffff_8100_0010, 7), run(0x7f12_3456_789a, 65535)] {
            assert_eq!(Run::from_bytes(run.to_bytes()), run);
        }
    }

    #[test]
    fn recordings_are_told_apart() {
        let runs = [Run::BEGIN, run(16, 1), run(32, 2), Run::BEGIN, run(48, 3)];
        let bytes: Vec<_> = runs.iter().flat_map(|run| run.to_bytes()).collect();

        assert_eq!(
            read(&*bytes).unwrap(),
            [vec![run(16, 1), run(32, 2)], vec![run(48, 3)]]
        );
        assert!(read(&bytes[8..]).is_err());
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Content that depends on its place only, so that a receiver can tell right from wrong.

/// A 64-bit mixing function (the finalizer of SplitMix64).
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Fills `buffer` with the bytes of stream `seed` from position `at` on.
pub fn fill(seed: u64, at: u64, buffer: &mut [u8]) {
    let mut word = at / 8;
    let mut skip = (at % 8) as usize;
    let mut rest = buffer;

    while !rest.is_empty() {
        let bytes = mix(seed ^ mix(word.wrapping_add(1))).to_le_bytes();
        let some = &bytes[skip..];
        let n = some.len().min(rest.len());
        let (now, later) = rest.split_at_mut(n);

        now.copy_from_slice(&some[..n]);
        rest = later;
        word = word.wrapping_add(1);
        skip = 0;
    }
}

/// A hash of `bytes` (FNV-1a over words).
pub fn hash(bytes: &[u8]) -> u64 {
    let start = mix(bytes.len() as u64);

    bytes.chunks(8).fold(start, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A datagram of a flow: what the sender writes and the receiver expects.
pub mod datagram {
    use super::fill;

    /// How many bytes at the start hold the sequence number, big endian.
    const HEADER: usize = 4;

    /// Makes datagram `seq` of `size` bytes. Shorter than the header, it holds its lower bytes.
    pub fn make(seq: u32, size: usize, buffer: &mut Vec<u8>) {
        buffer.resize(size, 0);
        let bytes = seq.to_be_bytes();
        let header = size.min(HEADER);

        buffer[..header].copy_from_slice(&bytes[HEADER - header..]);
        fill(seq.into(), 0, &mut buffer[header..]);
    }

    /// The sequence number that `datagram` says it has, and how many bits of it are known.
    pub fn claims(datagram: &[u8]) -> (u32, u32) {
        let header = datagram.len().min(HEADER);
        let seq = datagram[..header]
            .iter()
            .fold(0, |seq, byte| (seq << 8) | u32::from(*byte));

        (seq, header as u32 * 8)
    }
}

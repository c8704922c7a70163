// SPDX-License-Identifier: GPL-2.0

//! How an input of the fuzz target stands for a packet.

/// The family is IPv6.
const V6: u8 = 1;
/// The packet ends before the window does: its rest is padding.
const PADDED: u8 = 2;

/// Whether the packet is IPv6, what can be read of it, and its length.
///
/// The first byte holds flags. The second byte is by how much the packet is longer than the window,
/// or shorter if it is padded.
pub fn split(input: &[u8]) -> Option<(bool, &[u8], usize)> {
    let (&[flags, difference], head) = input.split_first_chunk()?;
    let difference = usize::from(difference);
    let len = match flags & PADDED {
        0 => head.len() + difference,
        _ => head.len().saturating_sub(difference),
    };

    Some((flags & V6 != 0, head, len))
}

/// The input for a whole packet.
#[allow(dead_code)]
pub fn join(v6: bool, packet: &[u8]) -> Vec<u8> {
    [&[u8::from(v6), 0], packet].concat()
}

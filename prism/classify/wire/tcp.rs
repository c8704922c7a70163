// SPDX-License-Identifier: GPL-2.0

//! TCP headers: RFC 9293 section 3.1.

use super::{
    super::Unclassified,
    Window, //
};

/// Length of a header without options.
const HEADER_LEN: usize = 20;
/// How much of a header is read: up to Data Offset.
pub(crate) const READ_LEN: usize = 13;

/// Reads the source and the destination port of a segment.
///
/// # Errors
///
/// - [`Unclassified::BadLength`] where Data Offset is less than a header or more than the segment.
/// - [`Unclassified::ZeroPort`].
#[inline]
pub(crate) fn parse(segment: Window<'_>) -> Result<(u16, u16), Unclassified> {
    let header: &[u8; READ_LEN] = segment.bytes()?;
    let [s0, s1, d0, d1, .., offset] = *header;

    if !is_offset(offset, segment.len()) {
        return Err(Unclassified::BadLength);
    }
    super::ports([s0, s1], [d0, d1])
}

/// Whether [`parse`] takes a segment of `len` bytes that begins with `segment`, but for its ports.
#[inline]
pub(crate) fn has_len(segment: &[u8], len: usize) -> bool {
    match segment.first_chunk::<READ_LEN>() {
        Some([.., offset]) => is_offset(*offset, len),
        None => false,
    }
}

/// Whether the byte of Data Offset is that of a segment of `len` bytes.
#[inline]
fn is_offset(offset: u8, len: usize) -> bool {
    // Data Offset counts 32-bit words in the upper four bits.
    let header_len = usize::from(offset >> 4).wrapping_mul(4);

    header_len >= HEADER_LEN && header_len <= len
}

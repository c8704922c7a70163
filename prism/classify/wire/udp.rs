// SPDX-License-Identifier: GPL-2.0

//! UDP headers: RFC 768.

use super::{
    super::Unclassified,
    Window, //
};

/// Length of the header.
pub(crate) const HEADER_LEN: u16 = 8;

/// Reads the source and the destination port of a datagram that fills its packet, and gives its data.
///
/// # Errors
///
/// - [`Unclassified::BadLength`] where Length is not that of the IP payload. Less is legal (RFC 9868
///   puts options there), but unusual.
/// - [`Unclassified::ZeroPort`]: RFC 768 lets a sender that wants no reply use source port zero, but
///   such a datagram belongs to no flow.
#[inline]
pub(crate) fn parse(datagram: Window<'_>) -> Result<((u16, u16), Window<'_>), Unclassified> {
    let [s0, s1, d0, d1, len0, len1, _, _] = *datagram.bytes()?;
    if usize::from(u16::from_be_bytes([len0, len1])) != datagram.len() {
        return Err(Unclassified::BadLength);
    }
    let ports = super::ports([s0, s1], [d0, d1])?;

    Ok((ports, datagram.skip::<{ HEADER_LEN as usize }>()?))
}

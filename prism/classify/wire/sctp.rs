// SPDX-License-Identifier: GPL-2.0

//! SCTP common headers: RFC 9260 section 3.1.

use super::{
    super::Unclassified,
    Window, //
};

/// Length of the common header.
pub(crate) const HEADER_LEN: usize = 12;

/// Reads the source and the destination port of a packet.
///
/// # Errors
///
/// [`Unclassified::ZeroPort`], which section 3.1 rules out.
#[inline]
pub(crate) fn parse(packet: Window<'_>) -> Result<(u16, u16), Unclassified> {
    let header: &[u8; HEADER_LEN] = packet.bytes()?;
    let [s0, s1, d0, d1, ..] = *header;

    super::ports([s0, s1], [d0, d1])
}

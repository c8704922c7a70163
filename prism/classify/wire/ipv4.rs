// SPDX-License-Identifier: GPL-2.0

//! IPv4 headers: RFC 791 section 3.1.

use super::{
    super::{
        flow::Words,
        Protocol,
        Unclassified, //
    },
    Ip,
    Window, //
};

/// Length of a header without options.
pub(crate) const HEADER_LEN: u16 = 20;

/// Version 4 and an IHL of five 32-bit words: no options.
const VERSION_IHL: u8 = 0x45;
/// The Don't Fragment flag, in the word of flags and Fragment Offset.
const DF: u16 = 0x4000;

/// Reads the header of a whole packet without options.
///
/// The header's checksum is the kernel's to check.
///
/// # Errors
///
/// - [`Unclassified::NotIp`] for another version.
/// - [`Unclassified::BadLength`] for an IHL or a Total Length that is less than a header, or a Total
///   Length that is more than the packet.
/// - [`Unclassified::Options`] for a longer header.
/// - [`Unclassified::Fragment`] where MF, the reserved flag or the Fragment Offset is set.
#[inline]
pub(crate) fn parse(packet: Window<'_>) -> Result<Ip<'_>, Unclassified> {
    let [version_ihl, tos, len0, len1, _, _, frag0, frag1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        *packet.bytes()?;
    if version_ihl != VERSION_IHL {
        return Err(unusual(version_ihl));
    }
    if u16::from_be_bytes([frag0, frag1]) & !DF != 0 {
        return Err(Unclassified::Fragment);
    }

    let total_length = u16::from_be_bytes([len0, len1]);
    if total_length < HEADER_LEN {
        return Err(Unclassified::BadLength);
    }

    let source = u32::from_be_bytes([s0, s1, s2, s3]);
    let destination = u32::from_be_bytes([d0, d1, d2, d3]);

    Ok(Ip {
        words: Words::ZERO
            .v4(source, destination)
            .protocol(protocol)
            .dscp(tos >> 2),
        protocol: Protocol(protocol),
        payload: packet
            .limit(total_length.into())?
            .skip::<{ HEADER_LEN as usize }>()?,
    })
}

/// Why a header that starts with this byte is not read.
#[cold]
fn unusual(version_ihl: u8) -> Unclassified {
    match (version_ihl >> 4, version_ihl & 0x0f) {
        (4, 0..=4) => Unclassified::BadLength,
        (4, _) => Unclassified::Options,
        _ => Unclassified::NotIp,
    }
}

// SPDX-License-Identifier: GPL-2.0

//! IPv6 headers: RFC 8200 section 3.

use super::{
    super::{
        flow::Words,
        Family,
        Protocol,
        Unclassified, //
    },
    Ip,
    Window, //
};

/// Length of the fixed header.
pub(crate) const HEADER_LEN: u16 = 40;

/// Reads the header of a packet without extension headers.
///
/// # Errors
///
/// - [`Unclassified::NotIp`] for another version.
/// - [`Unclassified::BadLength`] for a Payload Length that is more than the packet. A jumbogram's is
///   zero, and its Hop-by-Hop header keeps it from being classified.
/// - [`Unclassified::Fragment`] and [`Unclassified::Extension`] for a Next Header that is one of
///   IANA's IPv6 extension header types, or No Next Header. ESP, which is one, hides what it carries
///   and is a protocol here, as it is in IPv4.
#[inline]
pub(crate) fn parse(packet: Window<'_>) -> Result<Ip<'_>, Unclassified> {
    let header: &[u8; HEADER_LEN as usize] = packet.bytes()?;
    let [v0, v1, _, _, len0, len1, next_header, _, addresses @ ..] = header;
    let version_class = u16::from_be_bytes([*v0, *v1]);
    if version_class >> 12 != 6 {
        return Err(Unclassified::NotIp);
    }
    check_next_header(*next_header)?;

    let payload_length = u16::from_be_bytes([*len0, *len1]);
    let (source, destination) = halves(addresses);

    Ok(Ip {
        words: Words::ZERO
            .family(Family::V6)
            .v6(source, destination)
            .protocol(*next_header)
            .dscp((version_class >> 6) as u8),
        protocol: Protocol(*next_header),
        payload: packet
            .skip::<{ HEADER_LEN as usize }>()?
            .limit(payload_length.into())?,
    })
}

/// The Source and the Destination Address.
#[inline]
fn halves(addresses: &[u8; 32]) -> (u128, u128) {
    let half = |octets: Option<&[u8; 16]>| octets.map_or(0, |octets| u128::from_be_bytes(*octets));

    (half(addresses.first_chunk()), half(addresses.last_chunk()))
}

#[inline]
fn check_next_header(next_header: u8) -> Result<(), Unclassified> {
    match next_header {
        44 => Err(Unclassified::Fragment),
        // Hop-by-Hop Options, Routing, Authentication, No Next Header, Destination Options,
        // Mobility, HIP, Shim6, and two for experiments.
        0 | 43 | 51 | 59 | 60 | 135 | 139 | 140 | 253 | 254 => Err(Unclassified::Extension),
        _ => Ok(()),
    }
}

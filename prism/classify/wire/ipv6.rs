// SPDX-License-Identifier: GPL-2.0

//! IPv6 headers: RFC 8200 section 3.

use core::net::Ipv6Addr;

use super::{
    super::{
        Addresses,
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
    let bytes: &[u8; HEADER_LEN as usize] = packet.bytes()?;
    let [v0, v1, _, _, len0, len1, next_header, _, addresses @ ..] = bytes;
    if v0 >> 4 != 6 {
        return Err(Unclassified::NotIp);
    }
    check_next_header(*next_header)?;

    let payload_length = u16::from_be_bytes([*len0, *len1]);

    Ok(Ip {
        addresses: Addresses::V6 {
            source: address(addresses.first_chunk())?,
            destination: address(addresses.last_chunk())?,
        },
        protocol: Protocol(*next_header),
        dscp: (u16::from_be_bytes([*v0, *v1]) >> 6) as u8 & 0x3f,
        payload: packet
            .skip::<{ HEADER_LEN as usize }>()?
            .limit(payload_length.into())?,
    })
}

#[inline]
fn address(octets: Option<&[u8; 16]>) -> Result<Ipv6Addr, Unclassified> {
    octets
        .map(|octets| Ipv6Addr::from(*octets))
        .ok_or(Unclassified::Truncated)
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

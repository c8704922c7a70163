// SPDX-License-Identifier: GPL-2.0

//! Ethernet II frames, with at most one IEEE 802.1Q C-tag.

use super::{
    super::{
        Family,
        Unclassified, //
    },
    Window, //
};

/// Length of the header without a tag: two addresses and the EtherType.
pub(crate) const HEADER_LEN: u16 = 14;
/// Length of a tag: TPID and TCI.
pub(crate) const TAG_LEN: u16 = 4;

/// The group bit of an address, in its first byte.
const GROUP: u8 = 0x01;

const IPV4: u16 = 0x0800;
const C_TAG: u16 = 0x8100;
const IPV6: u16 = 0x86dd;
const S_TAG: u16 = 0x88a8;
/// The TPID of stacked tags before 802.1ad.
const QINQ: u16 = 0x9100;

/// What the header of a frame says.
pub(crate) struct Ethernet<'a> {
    /// The IP version that the EtherType names.
    pub(crate) family: Family,
    /// The packet in the frame, and padding if any.
    pub(crate) payload: Window<'a>,
}

/// Reads the header of an inner frame.
///
/// # Errors
///
/// - [`Unclassified::Multicast`] for a frame to a group address.
/// - [`Unclassified::Vlan`] for a second tag, or for one that is not a C-tag.
/// - [`Unclassified::NotIp`] for another EtherType than those of IP, or for an 802.3 length.
#[inline]
pub(crate) fn parse(frame: Window<'_>) -> Result<Ethernet<'_>, Unclassified> {
    let header: &[u8; HEADER_LEN as usize] = frame.bytes()?;
    let [destination, .., type0, type1] = *header;
    if destination & GROUP != 0 {
        return Err(Unclassified::Multicast);
    }

    let payload = frame.skip::<{ HEADER_LEN as usize }>()?;
    match u16::from_be_bytes([type0, type1]) {
        C_TAG => tagged(payload),
        ethertype => Ok(Ethernet {
            family: family(ethertype)?,
            payload,
        }),
    }
}

/// Reads what follows the TPID of a C-tag: the TCI, which may name any VLAN, and the EtherType.
#[inline]
fn tagged(tag: Window<'_>) -> Result<Ethernet<'_>, Unclassified> {
    let [_, _, type0, type1] = *tag.bytes()?;

    Ok(Ethernet {
        family: family(u16::from_be_bytes([type0, type1]))?,
        payload: tag.skip::<{ TAG_LEN as usize }>()?,
    })
}

#[inline]
fn family(ethertype: u16) -> Result<Family, Unclassified> {
    match ethertype {
        IPV4 => Ok(Family::V4),
        IPV6 => Ok(Family::V6),
        C_TAG | S_TAG | QINQ => Err(Unclassified::Vlan),
        _ => Err(Unclassified::NotIp),
    }
}

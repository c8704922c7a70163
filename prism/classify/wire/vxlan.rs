// SPDX-License-Identifier: GPL-2.0

//! VXLAN headers: RFC 7348 section 5.

use super::{
    super::{
        Unclassified,
        Vni, //
    },
    Window, //
};

/// Length of the header.
pub(crate) const HEADER_LEN: u16 = 8;

/// The I flag: the VNI is valid.
const FLAG_I: u8 = 0x08;

/// What a header says.
pub(crate) struct Vxlan<'a> {
    pub(crate) vni: Vni,
    /// The inner frame.
    pub(crate) frame: Window<'a>,
}

/// Reads the header of plain VXLAN.
///
/// # Errors
///
/// [`Unclassified::TunnelFlags`] for flags other than I alone and for reserved bits that are set.
/// RFC 7348 wants both ignored on receipt; extensions (GPE, GBP, remote checksum) give them meaning.
#[inline]
pub(crate) fn parse(packet: Window<'_>) -> Result<Vxlan<'_>, Unclassified> {
    let [flags, r0, r1, r2, vni0, vni1, vni2, r3] = *packet.bytes()?;
    if flags != FLAG_I || (r0 | r1 | r2 | r3) != 0 {
        return Err(Unclassified::TunnelFlags);
    }

    Ok(Vxlan {
        vni: Vni::from_be_bytes([vni0, vni1, vni2]),
        frame: packet.skip::<{ HEADER_LEN as usize }>()?,
    })
}

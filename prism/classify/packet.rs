// SPDX-License-Identifier: GPL-2.0

//! From the bytes of a packet to its flow.

use super::{
    wire::{
        ethernet,
        ipv4,
        ipv6,
        sctp,
        tcp,
        udp,
        vxlan,
        Ip,
        Window, //
    },
    Family,
    Flow,
    Protocol,
    Unclassified, //
};

/// How many bytes from the outer network header on [`parse`] reads at most. A longer `head` gains
/// nothing; a shorter one leaves packets with long headers [`Unclassified::Truncated`].
pub const WINDOW: usize = {
    let outer = ipv6::HEADER_LEN + udp::HEADER_LEN + vxlan::HEADER_LEN;
    let inner = ethernet::HEADER_LEN + ethernet::TAG_LEN + ipv6::HEADER_LEN;

    outer as usize + inner as usize + tcp::READ_LEN
};

/// Knows the UDP ports on which VXLAN is received.
pub trait VxlanPorts {
    /// Whether a datagram over `family` to `port` is VXLAN.
    fn is_vxlan(&self, family: Family, port: u16) -> bool;
}

impl<F: Fn(Family, u16) -> bool> VxlanPorts for F {
    #[inline]
    fn is_vxlan(&self, family: Family, port: u16) -> bool {
        self(family, port)
    }
}

/// Finds the flow of a packet.
///
/// `head` is what can be read of the packet from its network header on, `len` the packet's true
/// length from there in bytes, link-layer padding included. `head` may be shorter ([`WINDOW`] bytes
/// are enough for any packet) and is never read past `len`. `family` is the link layer's word on what
/// the packet is; the version field must agree.
///
/// A datagram to a port that `vxlan` knows is a tunnel's: the flow is the inner packet's, and where
/// the inner packet has none, neither has the outer one. Checksums are not verified.
///
/// # Errors
///
/// The first reason met, from the outer header inwards, for leaving the packet to the kernel.
#[inline]
pub fn parse(
    family: Family,
    head: &[u8],
    len: usize,
    vxlan: &impl VxlanPorts,
) -> Result<Flow, Unclassified> {
    let outer = network(family, Window::new(head, len))?;
    let ((source, destination), data) = transport(&outer)?;

    match data {
        Some(data) if vxlan.is_vxlan(family, destination) => tunnelled(data, vxlan),
        _ => Ok(Flow::of(outer.words.ports(source, destination))),
    }
}

/// Finds the flow inside the VXLAN packet `data`.
#[inline]
fn tunnelled(data: Window<'_>, ports: &impl VxlanPorts) -> Result<Flow, Unclassified> {
    let header = vxlan::parse(data)?;
    let frame = ethernet::parse(header.frame)?;
    let inner = network(frame.family, frame.payload)?;
    let ((source, destination), data) = transport(&inner)?;
    if data.is_some() && ports.is_vxlan(frame.family, destination) {
        return Err(Unclassified::NestedTunnel);
    }

    let words = inner.words.ports(source, destination);
    Ok(Flow::of(words.vni(header.vni.get())))
}

/// Reads a network header of `family`.
#[inline]
fn network(family: Family, packet: Window<'_>) -> Result<Ip<'_>, Unclassified> {
    match family {
        Family::V4 => ipv4::parse(packet),
        Family::V6 => ipv6::parse(packet),
    }
}

/// Reads the transport header that `ip` carries: its ports, and for UDP the data behind it.
#[inline]
fn transport<'a>(ip: &Ip<'a>) -> Result<((u16, u16), Option<Window<'a>>), Unclassified> {
    Ok(match ip.protocol {
        Protocol::UDP => {
            let (ports, data) = udp::parse(ip.payload)?;
            (ports, Some(data))
        }
        Protocol::TCP => (tcp::parse(ip.payload)?, None),
        Protocol::SCTP => (sctp::parse(ip.payload)?, None),
        _ => ((0, 0), None),
    })
}

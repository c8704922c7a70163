// SPDX-License-Identifier: GPL-2.0

//! The bytes by which a flow is known: its headers, without what differs from packet to packet.
//!
//! A [`Shape`] says which headers follow each other, so that every field is at a fixed offset. The
//! words of a template are those of the packet from its network header on, up to the end of the
//! innermost IP header, under the shape's mask; the ports come beside them.

use super::{
    wire::{
        ethernet,
        ipv4,
        ipv6,
        sctp,
        tcp,
        udp,
        vxlan, //
    },
    Family,
    Protocol,
    VxlanPorts, //
};

/// Which IP headers a packet has, the outermost first. Between two of them are UDP, VXLAN and
/// Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// IPv4 that carries IPv4.
    V4InV4,
    /// IPv4 that carries IPv6.
    V6InV4,
    /// IPv6 that carries IPv4.
    V4InV6,
    /// IPv6 that carries IPv6.
    V6InV6,
}

/// Calls a function for the headers of a shape.
macro_rules! with_shape {
    ($shape:expr, $head:expr, $do:ident) => {
        match $shape {
            Shape::V4 => $do::<V4>($head, &MASK_V4, Family::V4),
            Shape::V6 => $do::<V6>($head, &MASK_V6, Family::V6),
            Shape::V4InV4 => $do::<V4_IN_V4>($head, &MASK_V4_IN_V4, Family::V4),
            Shape::V6InV4 => $do::<V6_IN_V4>($head, &MASK_V6_IN_V4, Family::V6),
            Shape::V4InV6 => $do::<V4_IN_V6>($head, &MASK_V4_IN_V6, Family::V4),
            Shape::V6InV6 => $do::<V6_IN_V6>($head, &MASK_V6_IN_V6, Family::V6),
        }
    };
}

impl Shape {
    /// Whether there is a tunnel.
    #[inline]
    pub fn is_tunnelled(self) -> bool {
        !matches!(self, Self::V4 | Self::V6)
    }

    /// The protocol of the innermost packet, where the headers at `head` are of this shape.
    #[inline]
    pub fn protocol(self, head: &[u8]) -> Option<Protocol> {
        with_shape!(self, head, protocol_of)
    }
}

const V4: usize = ipv4::HEADER_LEN as usize;
const V6: usize = ipv6::HEADER_LEN as usize;
const ETHERNET: usize = ethernet::HEADER_LEN as usize;
/// What is between two IP headers.
const TUNNEL: usize = udp::HEADER_LEN as usize + vxlan::HEADER_LEN as usize + ETHERNET;
const UDP: usize = udp::HEADER_LEN as usize;

/// Ends of the innermost IP header.
const V4_IN_V4: usize = V4 + TUNNEL + V4;
const V6_IN_V4: usize = V4 + TUNNEL + V6;
const V4_IN_V6: usize = V6 + TUNNEL + V4;
const V6_IN_V6: usize = V6 + TUNNEL + V6;

/// The words of the longest template, and one for the bytes that fill none.
const COUNT: usize = V6_IN_V6 / 8 + 1;

/// The words of a template, in the order of the packet. The last one that a shape uses overlaps the
/// one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words([u64; COUNT]);

impl Words {
    pub(super) const ZERO: Self = Self([0; COUNT]);
}

/// Leaves out Total Length, Identification, DF, Time to Live and Header Checksum.
const MASK_V4: [u8; V4] = [
    0xff, 0xff, 0, 0, 0, 0, 0xbf, 0xff, 0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff,
];

/// Leaves out the Flow Label, Payload Length and Hop Limit.
const MASK_V6: [u8; V6] = {
    let mut mask = [0xff; V6];
    let [_, class, label0, label1, len0, len1, _, hops, ..] = &mut mask;

    *class = 0xf0;
    *label0 = 0;
    *label1 = 0;
    *len0 = 0;
    *len1 = 0;
    *hops = 0;
    mask
};

/// Leaves out Length and Checksum of UDP.
const MASK_TUNNEL: [u8; TUNNEL] = {
    let mut mask = [0xff; TUNNEL];
    let [_, _, _, _, len0, len1, check0, check1, ..] = &mut mask;

    *len0 = 0;
    *len1 = 0;
    *check0 = 0;
    *check1 = 0;
    mask
};

/// The masks of a packet in a packet.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "only the compiler evaluates it"
)]
const fn nested<const N: usize>(outer: &[u8], inner: &[u8]) -> [u8; N] {
    let mut mask = [0; N];
    let mut to = 0;
    let parts = [outer, &MASK_TUNNEL, inner];
    let mut part = 0;

    while part < parts.len() {
        let mut from = 0;

        while from < parts[part].len() {
            mask[to] = parts[part][from];
            from += 1;
            to += 1;
        }
        part += 1;
    }
    assert!(to == N);
    mask
}

const MASK_V4_IN_V4: [u8; V4_IN_V4] = nested(&MASK_V4, &MASK_V4);
const MASK_V6_IN_V4: [u8; V6_IN_V4] = nested(&MASK_V4, &MASK_V6);
const MASK_V4_IN_V6: [u8; V4_IN_V6] = nested(&MASK_V6, &MASK_V4);
const MASK_V6_IN_V6: [u8; V6_IN_V6] = nested(&MASK_V6, &MASK_V6);

/// The word at `at`.
#[inline(always)]
fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|bytes| bytes.first_chunk());

    word.map_or(0, |word| u64::from_ne_bytes(*word))
}

/// Where the words of a template are, which has `N` bytes: one behind the other, and then the last
/// eight bytes.
#[inline(always)]
fn places<const N: usize>() -> impl Iterator<Item = usize> {
    let full = N >> 3;

    (0..=full).map(move |index| {
        if index == full {
            N.wrapping_sub(8)
        } else {
            index.wrapping_mul(8)
        }
    })
}

/// The bits in which word `I` of a packet differs from that of a template, if there is one.
#[inline(always)]
fn differ<const I: usize, const N: usize>(
    bytes: &[u8; N],
    mask: &'static [u8; N],
    known: &u64,
) -> u64 {
    let full = N >> 3;
    let at = if I == full {
        N.wrapping_sub(8)
    } else {
        I.wrapping_mul(8)
    };

    if I > full {
        return 0;
    }
    (word(bytes, at) & word(mask, at)) ^ known
}

/// Whether a packet has the words of a template. No loop, as the compiler would keep it one, with
/// three times the instructions.
#[inline(always)]
#[rustfmt::skip]
fn is_same<const N: usize>(bytes: &[u8; N], mask: &'static [u8; N], words: &Words) -> bool {
    let Words([w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13]) = words;
    let all = differ::<0, N>(bytes, mask, w0)
        | differ::<1, N>(bytes, mask, w1)
        | differ::<2, N>(bytes, mask, w2)
        | differ::<3, N>(bytes, mask, w3)
        | differ::<4, N>(bytes, mask, w4)
        | differ::<5, N>(bytes, mask, w5)
        | differ::<6, N>(bytes, mask, w6)
        | differ::<7, N>(bytes, mask, w7)
        | differ::<8, N>(bytes, mask, w8)
        | differ::<9, N>(bytes, mask, w9)
        | differ::<10, N>(bytes, mask, w10)
        | differ::<11, N>(bytes, mask, w11)
        | differ::<12, N>(bytes, mask, w12)
        | differ::<13, N>(bytes, mask, w13);

    all == 0
}

#[inline(always)]
fn words_of<const N: usize>(bytes: &[u8; N], mask: &'static [u8; N]) -> Words {
    let mut words = Words::ZERO;

    for (at, to) in places::<N>().zip(&mut words.0) {
        *to = word(bytes, at) & word(mask, at);
    }
    words
}

/// A number at a fixed place of a header.
#[inline(always)]
fn be16<const AT: usize, const N: usize>(bytes: &[u8; N]) -> usize {
    let at = bytes.get(AT..).and_then(|at| at.first_chunk());

    at.map_or(0, |number| u16::from_be_bytes(*number).into())
}

/// The length of what an IPv4 packet of at most `len` bytes carries.
#[inline(always)]
fn payload_v4(header: &[u8; V4], len: usize) -> Option<usize> {
    let total = be16::<2, V4>(header);

    (total <= len).then(|| total.checked_sub(V4)).flatten()
}

/// The same of an IPv6 packet.
#[inline(always)]
fn payload_v6(header: &[u8; V6], len: usize) -> Option<usize> {
    let payload = be16::<4, V6>(header);

    (payload <= len.checked_sub(V6)?).then_some(payload)
}

/// The length of the inner packet at most, where the outer one carries `len` bytes and is the UDP
/// datagram at `datagram`.
#[inline(always)]
fn tunnelled(datagram: &[u8; TUNNEL], len: usize) -> Option<usize> {
    (be16::<4, TUNNEL>(datagram) == len)
        .then(|| len.checked_sub(TUNNEL))
        .flatten()
}

/// The protocol of the packet at the end of `header`.
#[inline(always)]
fn protocol<const N: usize>(header: &[u8; N], inner: Family) -> Protocol {
    let back = match inner {
        Family::V4 => V4.wrapping_sub(9),
        Family::V6 => V6.wrapping_sub(6),
    };

    Protocol(*header.get(N.wrapping_sub(back)).unwrap_or(&0))
}

#[inline(always)]
fn protocol_of<const N: usize>(
    head: &[u8],
    _mask: &'static [u8; N],
    inner: Family,
) -> Option<Protocol> {
    head.first_chunk()
        .map(|header| protocol::<N>(header, inner))
}

/// The ports at the start of `rest`, as they are there: zero where `protocol` has none.
#[inline(always)]
fn ports(protocol: Protocol, rest: &[u8]) -> Option<u32> {
    if protocol.has_ports() {
        rest.first_chunk().map(|ports| u32::from_ne_bytes(*ports))
    } else {
        Some(0)
    }
}

/// Whether the transport header at `rest`, of a packet that carries `len` bytes, is one that
/// [`parse`](super::parse) takes, but for the ports.
#[inline(always)]
fn fits(protocol: Protocol, rest: &[u8], len: usize) -> bool {
    match protocol {
        Protocol::UDP => rest
            .first_chunk::<UDP>()
            .is_some_and(|header| len >= UDP && be16::<4, UDP>(header) == len),
        Protocol::TCP => tcp::has_len(rest, len),
        Protocol::SCTP => len >= sctp::HEADER_LEN && rest.len() >= sctp::HEADER_LEN,
        _ => true,
    }
}

/// How much the innermost IP packet carries, if all lengths up to there go together.
#[inline(always)]
fn payload<const N: usize>(shape: Shape, headers: &[u8; N], len: usize) -> Option<usize> {
    let (is_outer_v4, is_nested) = match shape {
        Shape::V4 => (true, false),
        Shape::V6 => (false, false),
        Shape::V4InV4 | Shape::V6InV4 => (true, true),
        Shape::V4InV6 | Shape::V6InV6 => (false, true),
    };
    let (len, rest) = if is_outer_v4 {
        let (outer, rest) = headers.split_first_chunk::<V4>()?;
        (payload_v4(outer, len)?, rest)
    } else {
        let (outer, rest) = headers.split_first_chunk::<V6>()?;
        (payload_v6(outer, len)?, rest)
    };
    if !is_nested {
        return Some(len);
    }

    let (tunnel, rest) = rest.split_first_chunk::<TUNNEL>()?;
    let len = tunnelled(tunnel, len)?;
    match shape {
        Shape::V4InV4 | Shape::V4InV6 => payload_v4(rest.first_chunk()?, len),
        _ => payload_v6(rest.first_chunk()?, len),
    }
}

/// The template of a packet that [`parse`](super::parse) gave a flow.
#[inline]
pub(super) fn of(shape: Shape, head: &[u8]) -> Option<(Words, u32)> {
    with_shape!(shape, head, template_of)
}

#[inline(always)]
fn template_of<const N: usize>(
    head: &[u8],
    mask: &'static [u8; N],
    inner: Family,
) -> Option<(Words, u32)> {
    let (headers, rest) = head.split_first_chunk::<N>()?;

    Some((
        words_of(headers, mask),
        ports(protocol(headers, inner), rest)?,
    ))
}

/// A packet that may have a template.
pub(super) struct Found {
    pub(super) shape: Shape,
    /// Of what tells its flow from others.
    pub(super) hash: u64,
    /// Whether it has the template that there is for this hash, and lengths with which
    /// [`parse`](super::parse) gives it a flow.
    pub(super) is_same: bool,
}

/// Finds the template of a packet, where `get` has the words and the ports that there are for a shape
/// and a hash.
///
/// The result may be anything but the same for what is no such packet.
#[inline(always)]
pub(super) fn find<'a>(
    family: Family,
    head: &[u8],
    len: usize,
    vxlan: &impl VxlanPorts,
    get: impl Fn(Shape, u64) -> Option<(&'a Words, u32)>,
) -> Option<Found> {
    const IPV4: usize = 0x0800;
    const IPV6: usize = 0x86dd;

    match family {
        Family::V4 => match ethertype::<V4>(family, head, vxlan) {
            None => at(Shape::V4, family, head, &MASK_V4, len, get),
            Some(IPV4) => at(Shape::V4InV4, Family::V4, head, &MASK_V4_IN_V4, len, get),
            Some(IPV6) => at(Shape::V6InV4, Family::V6, head, &MASK_V6_IN_V4, len, get),
            Some(_) => None,
        },
        Family::V6 => match ethertype::<V6>(family, head, vxlan) {
            None => at(Shape::V6, family, head, &MASK_V6, len, get),
            Some(IPV4) => at(Shape::V4InV6, Family::V4, head, &MASK_V4_IN_V6, len, get),
            Some(IPV6) => at(Shape::V6InV6, Family::V6, head, &MASK_V6_IN_V6, len, get),
            Some(_) => None,
        },
    }
}

/// What is in the tunnel, if the packet is one of VXLAN.
#[inline(always)]
fn ethertype<const N: usize>(
    family: Family,
    head: &[u8],
    vxlan: &impl VxlanPorts,
) -> Option<usize> {
    const ETHERTYPE: usize = TUNNEL - 2;
    let (outer, rest) = head.split_first_chunk::<N>()?;
    let tunnel = rest.first_chunk()?;
    let is_vxlan = protocol(outer, family) == Protocol::UDP
        && vxlan.is_vxlan(family, be16::<2, TUNNEL>(tunnel) as u16);

    is_vxlan.then(|| be16::<ETHERTYPE, TUNNEL>(tunnel))
}

/// The same where the shape is known, which has `N` bytes.
#[inline(always)]
fn at<'a, const N: usize>(
    shape: Shape,
    inner: Family,
    head: &[u8],
    mask: &'static [u8; N],
    len: usize,
    get: impl Fn(Shape, u64) -> Option<(&'a Words, u32)>,
) -> Option<Found> {
    let (headers, rest) = head.split_first_chunk::<N>()?;
    let protocol = protocol(headers, inner);
    let ports = ports(protocol, rest)?;
    let vxlan = match shape {
        Shape::V4 | Shape::V6 => 0,
        Shape::V4InV4 | Shape::V6InV4 => word(headers, V4.wrapping_add(UDP)),
        Shape::V4InV6 | Shape::V6InV6 => word(headers, V6.wrapping_add(UDP)),
    };
    let hash = hash(headers, vxlan, ports);
    // No closure, which would be a function of its own.
    let is_same = match get(shape, hash) {
        Some((words, known_ports)) if ports == known_ports && is_same(headers, mask, words) => {
            match payload(shape, headers, len) {
                Some(len) => fits(protocol, rest, len),
                None => false,
            }
        }
        _ => false,
    };

    Some(Found {
        shape,
        hash,
        is_same,
    })
}

/// Mixes the end of the addresses in an IP header, the header of its tunnel, and the ports. Each bit of
/// the result depends on all of them.
#[inline(always)]
fn hash<const N: usize>(header: &[u8; N], vxlan: u64, ports: u32) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let addresses = word(header, N.wrapping_sub(8));
    // A product passes differences on to higher bits only, hence the turn.
    let sum = (addresses ^ vxlan).wrapping_mul(MIX).rotate_left(32) ^ u64::from(ports);

    sum.wrapping_mul(MIX) >> 32
}

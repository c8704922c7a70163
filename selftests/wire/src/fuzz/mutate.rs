// SPDX-License-Identifier: GPL-2.0

//! What may be unusual about a packet. Its sender stays who it is, as answers go there.

use super::{
    choice::Choice,
    draft::{
        Draft,
        Shot,
        Sum,
        Transport, //
    },
    place::VLAN, //
};
use crate::frame::{
    Checksum,
    Ip,
    Pair,
    Udp, //
};

const LIES: [i32; 9] = [-9999, -40, -8, -1, 1, 2, 8, 40, 9999];
const TTLS: [u8; 5] = [0, 1, 2, 63, 255];

/// Changes one field, or several.
pub fn draft(choice: &mut Choice, draft: &mut Draft, id: u16) {
    for _ in 0..choice.of(&[1, 1, 1, 2, 3]) {
        match choice.below(8) {
            0 | 1 => ip(choice, &mut draft.recipe.ip, id),
            2 if draft.place.is_tunnelled() => ip(choice, &mut draft.recipe.outer, id),
            3 => transport(choice, &mut draft.transport),
            4 if draft.place.is_tunnelled() => tunnel(choice, draft),
            5 => ethernet(choice, draft),
            6 => draft.recipe.padding = choice.of(&[1, 2, 7, 18, 46, 300]),
            _ => draft.sum = choice.of(&[Sum::Inner, Sum::Inner, Sum::Outer]),
        }
    }
}

fn checksum(choice: &mut Choice) -> Checksum {
    choice.of(&[Checksum::Wrong, Checksum::Zero])
}

/// Has a checksum of any layer wrong.
pub fn checksums(choice: &mut Choice, draft: &mut Draft) {
    let recipe = &mut draft.recipe;
    let field = match (choice.below(4), &mut draft.transport) {
        (0, Transport::Udp(udp)) => &mut udp.checksum,
        (1, _) => &mut recipe.ip.checksum,
        (2, _) => &mut recipe.outer.checksum,
        _ => &mut recipe.outer_udp.checksum,
    };

    *field = Checksum::Wrong;
    draft.sum = Sum::Written;
}

fn ip(choice: &mut Choice, ip: &mut Ip, id: u16) {
    let v6 = matches!(ip.pair, Pair::V6(..));

    match choice.below(9) {
        0 => ip.len = choice.of(&LIES),
        1 => ip.ttl = choice.of(&TTLS),
        2 | 3 => ip.tos = choice.next() as u8,
        4 => {
            ip.id = id;
            let offset = choice.of(&[0u16, 0, 1, 4, 30, 0x1fff]);
            if v6 {
                ip.be_fragment_v6((offset << 3) | u16::from(choice.one_in(2)), id);
            } else {
                ip.fragment = offset | choice.of(&[0, 0x2000, 0x4000, 0x8000]);
            }
        }
        5 if v6 => ip.extend(choice.of(&[0u8, 43, 60, 135, 140])),
        5 => {
            ip.extra = choice
                .of(&[
                    &[1u8, 1, 1, 0][..],
                    &[148, 4, 0, 0],
                    &[7, 7, 4, 0, 0, 0, 0, 0],
                    &[7, 200, 4, 0],
                ])
                .to_vec()
        }
        6 => ip.header_len = Some(choice.of(&[0u8, 4, 6, 15])),
        7 => ip.version = choice.of(&[0u8, 4, 5, 6, 15]),
        _ => ip.checksum = checksum(choice),
    }
}

/// Has a datagram lie about its length. GRO sums up all there is, and UDP what the length says, so it
/// depends on GRO alone whether a sum over all is taken for right: there is none.
fn lie(choice: &mut Choice, udp: &mut Udp) {
    udp.len = choice.of(&LIES);
    udp.checksum = checksum(choice);
}

fn transport(choice: &mut Choice, transport: &mut Transport) {
    const PORTS: [u16; 5] = [0, 9, 4789, 5001, 65535];

    match transport {
        Transport::Udp(udp) => match choice.below(4) {
            0 => lie(choice, udp),
            1 => udp.source = choice.of(&PORTS),
            2 => udp.destination = choice.of(&PORTS),
            _ => udp.checksum = checksum(choice),
        },
        Transport::Tcp(tcp) => match choice.below(4) {
            0 => tcp.offset = choice.of(&[0u8, 4, 6, 15]),
            1 => tcp.flags = choice.next() as u8 | 16,
            2 => tcp.source = choice.of(&PORTS),
            _ => tcp.checksum = checksum(choice),
        },
        Transport::Echo => *transport = Transport::Other(choice.of(&[1u8, 58])),
        Transport::Sctp(port) => *port = choice.of(&PORTS),
        Transport::Other(protocol) => *protocol = choice.next() as u8,
    }
}

fn tunnel(choice: &mut Choice, draft: &mut Draft) {
    let recipe = &mut draft.recipe;

    match choice.below(7) {
        0 => recipe.vxlan.flags ^= 1 << choice.below(32),
        1 => recipe.vxlan.reserved = 1 << choice.below(8),
        2 => recipe.vxlan.vni = choice.of(&[0u32, 99, 100, 200, 300, 0xff_ffff]),
        3 => lie(choice, &mut recipe.outer_udp),
        4 => recipe.outer_udp.source = choice.of(&[0u16, 1, 4789, 50001]),
        5 => recipe.outer_udp.destination = choice.of(&[0u16, 4790, 5001]),
        _ => recipe.outer_udp.checksum = checksum(choice),
    }
}

fn ethernet(choice: &mut Choice, draft: &mut Draft) {
    let tagged = [(0x8100, 0), (0x8100, VLAN), (0x8100, 0xe005), (0x88a8, 3)];
    let inner = !draft.place.is_tunnelled() || choice.one_in(2);
    let ethernet = match inner {
        true => &mut draft.recipe.ethernet,
        false => &mut draft.recipe.outer_ethernet,
    };

    match choice.below(4) {
        0 | 1 => ethernet.tags.push(choice.of(&tagged)),
        2 => {
            ethernet.destination = choice.of(&[
                [0xff; 6],
                [0x33, 0x33, 0, 0, 0, 1],
                [1, 0, 0x5e, 0, 0, 1],
                [2, 0, 0, 0, 0, 0x77],
            ])
        }
        _ => ethernet.ethertype = choice.of(&[0x0800u16, 0x86dd, 0x0806, 0x88cc, 0x0004, 0x8847]),
    }
}

/// Changes bytes of a frame, or cuts it off. Addresses of senders stay.
pub fn bytes(choice: &mut Choice, draft: &Draft, shot: &mut Shot) {
    if choice.one_in(3) {
        let len = choice.below(shot.frame.len() - 14) + 14;
        shot.frame.truncate(len);
        return;
    }

    let (outer, inner) = senders(draft);
    for _ in 0..choice.of(&[1, 1, 2, 4]) {
        let at = choice.below(shot.frame.len());
        let is_sender = |range: &std::ops::Range<usize>| range.contains(&at);
        if outer.iter().chain(&inner).any(is_sender) {
            continue;
        }
        shot.frame[at] = match choice.below(3) {
            0 => shot.frame[at] ^ (1 << choice.below(8)),
            1 => choice.of(&[0u8, 0xff, 0x7f, 0x80]),
            _ => choice.next() as u8,
        };
    }
}

type Senders = [std::ops::Range<usize>; 2];

/// Where the addresses of the senders are: of the frame, and of the frame inside.
fn senders(draft: &Draft) -> (Senders, Senders) {
    let recipe = &draft.recipe;
    let of = |start: usize, tags: usize, pair: &Pair| {
        let ip = start + 14 + 4 * tags;
        let address = match pair {
            Pair::V4(..) => ip + 12..ip + 16,
            Pair::V6(..) => ip + 8..ip + 24,
        };

        [start + 6..start + 12, address]
    };

    let inner_tags = recipe.ethernet.tags.len();
    if !draft.place.is_tunnelled() {
        let only = of(0, inner_tags, &recipe.ip.pair);
        return (only.clone(), only);
    }
    let tags = recipe.outer_ethernet.tags.len();
    let start = recipe.outer(&recipe.vxlan.wrap(&[])).len();
    (
        of(0, tags, &recipe.outer.pair),
        of(start, inner_tags, &recipe.ip.pair),
    )
}

/// Changes a segment of a connection in such a way that the connection lives on.
pub fn segment(choice: &mut Choice, draft: &mut Draft, id: u16) {
    match choice.below(5) {
        0 => ip(choice, &mut draft.recipe.ip, id),
        1 if draft.place.is_tunnelled() => ip(choice, &mut draft.recipe.outer, id),
        2 => draft.recipe.padding = choice.of(&[1, 6, 18]),
        3 => draft.recipe.outer_udp.checksum = checksum(choice),
        _ => {
            if let Transport::Tcp(tcp) = &mut draft.transport {
                tcp.checksum = Checksum::Wrong;
            }
        }
    }
}

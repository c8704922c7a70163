// SPDX-License-Identifier: GPL-2.0

//! The bursts of a sequence: each follows from the seed and its own index.

use super::{
    choice::Choice,
    draft::{
        Draft,
        Shot,
        Sum,
        Transport, //
    },
    mutate,
    place::{
        Place,
        PEER_MAC, //
    },
    shape::Shape,
    stream::Stream, //
};
use crate::{
    content::datagram,
    frame::{
        Checksum,
        Mac,
        Pair,
        Tcp,
        Udp, //
    },
};

/// The ports that datagrams go to. The rules make them high, interactive, bulk, nothing, and high with a
/// receiver that takes merged ones.
pub const UDP_PORTS: [u16; 5] = [5001, 5002, 5003, 5004, 5005];
/// The ports that connections go to: high with `gro` auto, bulk, nothing, high with bypass and with keep.
pub const TCP_PORTS: [u16; 5] = [6001, 6002, 6003, 6004, 6005];
/// Where nobody listens: of class high, and of none.
const CLOSED: [u16; 2] = [6009, 6010];

/// What is added to the number of a packet with something unusual. It may not be classified, and goes
/// another way than the others of its flow then.
pub const ODD: u8 = 0x80;

/// The most content of one packet that stands for many, where a NIC takes no longer frames.
pub const WHOLE: usize = 3500;

/// What is handed in between two looks at what arrived.
pub enum Burst {
    Shots(Vec<Shot>),
    Stream(Stream),
}

/// A burst and its circumstances.
pub struct Event {
    pub kind: &'static str,
    pub burst: Burst,
    /// Whether a packet socket on the host's device shares each packet.
    pub is_tapped: bool,
}

/// What makes bursts.
pub struct Maker {
    pub seed: u64,
    pub host: Mac,
    /// Whether the tap takes packets in pieces.
    pub in_pieces: bool,
    /// Whether devices merge datagrams.
    pub is_merging: bool,
    /// Whether a NIC gives frames shapes.
    pub has_shapes: bool,
    /// Whether there are only connections whose segments come at once.
    pub has_segments_only: bool,
    /// What tells fragments of one pass from those of others.
    pub pass: u16,
}

impl Maker {
    /// What identifies the fragments of a burst.
    pub fn id(&self, index: u32) -> u16 {
        index as u16 ^ (self.pass << 12)
    }

    pub fn event(&self, index: u32) -> Event {
        let mut choice = Choice::new(self.seed, index);
        let kind = choice.below(12);
        let (kind, burst) = match kind {
            _ if self.has_segments_only => {
                let stream = Stream::new(&mut choice, index, self);
                ("segments", Burst::Stream(stream))
            }
            0 | 1 => ("random", Burst::Shots(self.random(&mut choice))),
            2..=6 => ("mutated", Burst::Shots(self.mutated(&mut choice, index))),
            7..=9 => ("train", Burst::Shots(self.train(&mut choice, index))),
            _ => {
                let stream = Stream::new(&mut choice, index, self);
                ("stream", Burst::Stream(stream))
            }
        };

        Event {
            kind,
            burst,
            is_tapped: choice.one_in(8),
        }
    }

    fn random(&self, choice: &mut Choice) -> Vec<Shot> {
        let count = choice.below(6) + 1;

        (0..count)
            .map(|_| {
                let len = choice.of(&[14, 20, 34, 60, 100, 200, 1500]);
                let len = choice.below(len) + 14;
                let mut frame = choice.bytes(len);
                frame[6..12].copy_from_slice(&PEER_MAC);
                if !choice.one_in(4) {
                    frame[..6].copy_from_slice(&self.host);
                }
                if !choice.one_in(4) {
                    let ethertype = choice.of(&[0x0800u16, 0x86dd, 0x8100, 0x0806]);
                    frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
                }
                if let (Some(first), false) = (frame.get_mut(14), choice.one_in(4)) {
                    *first = choice.of(&[0x45, 0x60, 0x46, 0x4f]);
                }
                if self.has_shapes && choice.one_in(4) {
                    // Nothing but its Ethernet header.
                    frame.truncate(14);
                }
                let mut shot = Shot::plain(frame);
                shot.shape = self.shape(choice, Place::Host);
                self.hand_in(choice, shot)
            })
            .collect()
    }

    /// Packets of a few flows, most of them with something unusual.
    fn mutated(&self, choice: &mut Choice, index: u32) -> Vec<Shot> {
        let flows: Vec<_> = (0..choice.below(3) + 1)
            .map(|_| self.packet(choice))
            .collect();
        let count = choice.below(10) + 2;
        let mut shots = Vec::new();

        for number in 0..count {
            let mut draft = flows[choice.below(flows.len())].clone();
            let is_odd = !choice.one_in(4);
            draft.shape = self.shape(choice, draft.place);
            mark(&mut draft, index, number as u8, is_odd);
            if !is_odd {
                shots.push(self.hand_in(choice, draft.shot()));
                continue;
            }
            if choice.one_in(8) {
                shots.extend(pieces(choice, draft, self.id(index)));
                continue;
            }
            let is_whole = choice.one_in(3);
            if !is_whole {
                mutate::draft(choice, &mut draft, self.id(index));
            }
            let mut shot = draft.shot();
            if is_whole || choice.one_in(6) {
                mutate::bytes(choice, &draft, &mut shot);
            }
            shots.push(self.hand_in(choice, shot));
        }
        shots
    }

    /// A well-formed packet of any kind.
    fn packet(&self, choice: &mut Choice) -> Draft {
        let place = choice.of(&Place::ALL);
        let source = choice.of(&[40000, 40001]);
        let transport = match choice.below(10) {
            0..=5 => Transport::Udp(Udp::new(source, choice.of(&UDP_PORTS))),
            6 => Transport::Tcp(Tcp {
                flags: choice.of(&[16, 17, 24]),
                ..Tcp::syn(source, choice.of(&CLOSED))
            }),
            7 => Transport::Echo,
            8 => Transport::Sctp(choice.of(&[2905, 2906])),
            _ => Transport::Other(choice.of(&[47, 89, 115, 255])),
        };
        // What was merged may exceed the MTU.
        let is_merged = matches!(transport, Transport::Udp(udp) if udp.destination == UDP_PORTS[4]);
        let most = if is_merged || self.is_merging {
            1380
        } else {
            1420
        };
        let len = choice.of(&[0, 1, 7, 40, 41, 500, 1380, most]);
        let v6 = choice.one_in(2);

        Draft::new(place, v6, self.host, transport, vec![0; len])
    }

    /// Datagrams of one flow that might be merged, or of two in turns.
    fn train(&self, choice: &mut Choice, index: u32) -> Vec<Shot> {
        let place = choice.of(&Place::ALL);
        let v6 = choice.one_in(2);
        let ports = [choice.of(&UDP_PORTS), choice.of(&UDP_PORTS)];
        let size = choice.of(&[0, 1, 8, 100, 1000, 1372]);
        let count = choice.below(22) + 3;
        let sum = choice.of(&[Sum::Written, Sum::Written, Sum::Inner, Sum::Outer]);
        let outer_sum = choice.of(&[Checksum::Right, Checksum::Zero]);
        let in_turns = choice.one_in(4);
        let mut shots = Vec::new();

        let draft = |choice: &mut Choice, number: usize, size: usize| {
            let port = ports[usize::from(in_turns) & number];
            let transport = Transport::Udp(Udp::new(40000, port));
            let mut draft = Draft::new(place, v6, self.host, transport, vec![0; size]);
            draft.recipe.outer_udp.checksum = outer_sum;
            draft.recipe.ip.id = number as u16;
            draft.sum = sum;
            draft.shape = self.shape(choice, place);
            let odd = choice.below(12);
            mark(&mut draft, index, number as u8, odd < 2);
            match odd {
                0 => mutate::draft(choice, &mut draft, self.id(index)),
                // Of a known flow, so that nothing but the checksum is in its way.
                1 => mutate::checksums(choice, &mut draft),
                _ => {}
            }
            draft
        };
        if !place.is_tunnelled() && size >= 100 && !self.in_pieces && choice.one_in(2) {
            // One packet that stands for many.
            let most = if self.has_shapes { WHOLE / size } else { 20 };
            let mut whole = draft(choice, 0, size * count.min(most) + 50);
            whole.sum = Sum::Inner;
            whole.segment = size;
            shots.push(whole.shot());
        }
        for number in 0..count {
            let is_last = number == count - 1;
            let size = if is_last && choice.one_in(2) {
                size / 2
            } else {
                size
            };
            let shot = draft(choice, number, size).shot();
            shots.push(self.hand_in(choice, shot));
        }
        shots
    }

    /// Decides what a NIC makes of a datagram's frame. Routing forgets sums of a whole packet, but not what
    /// GRO has concluded from them: there, a frame whose NIC lies may be found out behind the one and not
    /// behind the other.
    fn shape(&self, choice: &mut Choice, place: Place) -> Shape {
        self.shape_of(choice, place != Place::Routed)
    }

    /// Decides what a NIC makes of a frame, and whether it lies.
    pub fn shape_of(&self, choice: &mut Choice, may_lie: bool) -> Shape {
        match self.has_shapes {
            true => Shape::any(choice, may_lie),
            false => Shape::plain(),
        }
    }

    /// Decides in how many pieces a frame comes.
    fn hand_in(&self, choice: &mut Choice, mut shot: Shot) -> Shot {
        if self.in_pieces {
            shot.cut = choice.of(&[0, 14, 15, 34, 42, 50, 54, 64, 78, 92, 100, 128]);
        }
        shot
    }
}

/// Writes into a packet which one it is.
fn mark(draft: &mut Draft, index: u32, number: u8, is_odd: bool) {
    let is_odd = is_odd || draft.shape.is_odd();
    let number = number | if is_odd { ODD } else { 0 };
    let size = draft.content.len();

    datagram::make((index << 8) | u32::from(number), size, &mut draft.content);
}

/// A packet whose outer or inner IPv4 packet comes in two parts, in either order.
fn pieces(choice: &mut Choice, draft: Draft, id: u16) -> Vec<Shot> {
    let recipe = &draft.recipe;
    let (ip, ethernet) = match draft.place.is_tunnelled() {
        true => (&recipe.outer, &recipe.outer_ethernet),
        false => (&recipe.ip, &recipe.ethernet),
    };
    let whole = draft.shot().frame;
    let start = ethernet.wrap(&ip.wrap(&[])).len();
    let data = &whole[start..];
    let at = data.len() / 2 / 8 * 8;
    if matches!(ip.pair, Pair::V6(..)) || at == 0 {
        return vec![draft.shot()];
    }

    let part = |data: &[u8], fragment: u16| {
        let mut ip = ip.clone();
        ip.fragment = fragment;
        ip.id = id;
        Shot::plain(ethernet.wrap(&ip.wrap(data)))
    };
    let mut parts = vec![
        part(&data[..at], 0x2000),
        part(&data[at..], (at / 8) as u16),
    ];
    if choice.one_in(2) {
        parts.reverse();
    }
    parts
}

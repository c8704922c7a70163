// SPDX-License-Identifier: GPL-2.0

//! A packet before it is bytes: what it carries, and how the tap is to hand it in.

use super::{
    place::Place,
    shape::Shape, //
};
use crate::{
    cases::Recipe,
    frame::{
        self,
        Mac,
        Pair,
        Tcp,
        Udp, //
    },
};

/// The header that a tap with IFF_VNET_HDR puts before a frame.
pub const HEADER: usize = 10;
/// Its flag for a packet whose checksum is to be filled in.
const NEEDS_CSUM: u8 = 1;

/// A frame as it is handed in.
#[derive(Clone)]
pub struct Shot {
    pub header: [u8; HEADER],
    pub frame: Vec<u8>,
    /// The length of the first piece where pages hold the rest.
    pub cut: usize,
    /// What a NIC makes of it.
    pub shape: Shape,
}

impl Shot {
    pub fn plain(frame: Vec<u8>) -> Self {
        Self {
            header: [0; HEADER],
            frame,
            cut: 0,
            shape: Shape::plain(),
        }
    }

    fn set(&mut self, at: usize, value: usize) {
        self.header[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
    }
}

/// What an IP packet carries.
#[derive(Clone, Copy)]
pub enum Transport {
    Udp(Udp),
    Tcp(Tcp),
    /// An echo request of either family.
    Echo,
    /// The common header and a chunk that nobody expects.
    Sctp(u16),
    Other(u8),
}

impl Transport {
    fn protocol(&self, pair: &Pair) -> u8 {
        match (self, pair) {
            (Self::Udp(_), _) => 17,
            (Self::Tcp(_), _) => 6,
            (Self::Echo, Pair::V4(..)) => 1,
            (Self::Echo, Pair::V6(..)) => 58,
            (Self::Sctp(_), _) => 132,
            (Self::Other(protocol), _) => *protocol,
        }
    }

    fn wrap(&self, pair: &Pair, content: &[u8]) -> Vec<u8> {
        match self {
            Self::Udp(udp) => udp.wrap(pair, content),
            Self::Tcp(tcp) => tcp.wrap(pair, content),
            Self::Echo => {
                let protocol = self.protocol(pair);
                let kind = if protocol == 1 { 8 } else { 128 };
                let mut out = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1];
                out.extend(content);
                let sum = frame::checksum(pair, protocol, &out);
                out[2..4].copy_from_slice(&sum.to_be_bytes());
                out
            }
            Self::Sctp(port) => {
                let mut out = 40000u16.to_be_bytes().to_vec();
                out.extend(port.to_be_bytes());
                out.extend([1, 2, 3, 4, 0, 0, 0, 0, 0, 3, 0, 4]);
                out.extend(content);
                out
            }
            Self::Other(_) => content.to_vec(),
        }
    }
}

/// Where the checksum stands, of what is left to the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// Each is in the packet.
    Written,
    /// The inner one is to be filled in.
    Inner,
    /// The outer one is to be filled in.
    Outer,
}

/// A packet that may yet change.
#[derive(Clone)]
pub struct Draft {
    pub place: Place,
    pub recipe: Recipe,
    pub transport: Transport,
    pub content: Vec<u8>,
    pub sum: Sum,
    /// How large the segments are that the packet stands for, if it stands for several.
    pub segment: usize,
    /// What a NIC makes of it.
    pub shape: Shape,
}

impl Draft {
    pub fn new(place: Place, v6: bool, host: Mac, transport: Transport, content: Vec<u8>) -> Self {
        let mut recipe = place.recipe(v6, host);
        recipe.ip.protocol = transport.protocol(&recipe.ip.pair);

        Self {
            place,
            recipe,
            transport,
            content,
            sum: Sum::Written,
            segment: 0,
            shape: Shape::plain(),
        }
    }

    pub fn shot(&self) -> Shot {
        let pair = &self.recipe.ip.pair;
        let protocol = self.transport.protocol(pair);
        let mut payload = self.transport.wrap(pair, &self.content);
        let (at, len) = match self.transport {
            Transport::Udp(_) => (6, 8),
            Transport::Tcp(_) => (16, 20),
            _ => (0, 0),
        };
        let is_partial = self.sum == Sum::Inner && at > 0;
        if is_partial {
            let sum = frame::pseudo_sum(pair, protocol, payload.len());
            payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }

        let behind = payload.len() + self.recipe.padding;
        let inner = self.recipe.inner(&payload);
        let mut shot = Shot::plain(match self.place.is_tunnelled() {
            true => self.recipe.outer(&self.recipe.vxlan.wrap(&inner)),
            false => inner,
        });
        shot.shape = self.shape;
        if is_partial {
            let start = shot.frame.len() - behind;
            shot.header[0] = NEEDS_CSUM;
            shot.set(6, start);
            shot.set(8, at);
            if self.segment > 0 {
                shot.header[1] = match (protocol, pair) {
                    (17, _) => 5,
                    (_, Pair::V4(..)) => 1,
                    _ => 4,
                };
                shot.set(2, start + len);
                shot.set(4, self.segment);
            }
        } else if self.sum == Sum::Outer && self.place.is_tunnelled() {
            self.leave_outer(&mut shot);
        }
        shot
    }

    /// Leaves the outer checksum to the next one.
    fn leave_outer(&self, shot: &mut Shot) {
        let recipe = &self.recipe;
        let start = recipe.outer_ethernet.wrap(&recipe.outer.wrap(&[])).len();
        let Some(len) = shot.frame.len().checked_sub(start).filter(|len| *len >= 8) else {
            return;
        };
        let sum = frame::pseudo_sum(&recipe.outer.pair, 17, len);

        shot.frame[start + 6..start + 8].copy_from_slice(&sum.to_be_bytes());
        shot.header[0] = NEEDS_CSUM;
        shot.set(6, start);
        shot.set(8, 6);
    }
}

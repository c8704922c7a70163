// SPDX-License-Identifier: GPL-2.0

//! What packet a frame becomes where a NIC of simnic's receives it; C has it as `struct knet_shape`.

use super::{
    choice::Choice,
    draft::Shot, //
};

/// Which of the networking core's calls frames come in by. A driver has one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Entry {
    /// `napi_gro_receive()` and `napi_gro_frags()`.
    Gro,
    /// `netif_receive_skb()`.
    Direct,
}

const RECEIVE: u8 = 0;
const FRAGS: u8 = 1;
const DIRECT: u8 = 2;

const UNNECESSARY: u8 = 1;
const COMPLETE: u8 = 2;
const WRONG: u8 = 3;
const PARTIAL: u8 = 4;

const CLONED: u8 = 1;
const SHARED: u8 = 2;
const NO_HEADROOM: u8 = 4;
const LIST: u8 = 8;
const TAG: u8 = 16;
const PRIORITY_TAG: u8 = 32;
const SPOIL: u8 = 64;
const MORE: u8 = 128;

/// Lengths of the linear part: within and between headers, and odd ones.
const LINEAR: [u16; 12] = [14, 15, 33, 34, 42, 50, 55, 64, 78, 92, 101, 128];

/// What a frame is to come as.
#[derive(Clone, Copy, Default)]
pub struct Shape {
    is_frags: bool,
    sum: u8,
    level: u8,
    flags: u8,
    linear: u16,
    piece: u16,
}

impl Shape {
    /// In one piece, by itself, and nothing is known of it.
    pub fn plain() -> Self {
        Self {
            linear: u16::MAX,
            ..Self::default()
        }
    }

    /// Any shape. With `may_lie`, what is said of a checksum need not be true.
    pub fn any(choice: &mut Choice, may_lie: bool) -> Self {
        let mut shape = Self::plain();
        match choice.below(8) {
            0 | 1 => {}
            2 | 3 => {
                shape.sum = UNNECESSARY;
                shape.level = choice.of(&[0, 0, 1, 1, 2, 3]);
            }
            4..=6 => shape.sum = COMPLETE,
            _ if may_lie => shape.sum = WRONG,
            _ => {}
        }
        if may_lie && choice.one_in(4) {
            shape.flags |= SPOIL;
        }
        match choice.below(10) {
            0..=2 => {}
            3 | 4 => shape.linear = choice.of(&LINEAR),
            5..=7 => shape.is_frags = true,
            8 => {
                shape.flags |= LIST;
                shape.linear = choice.of(&LINEAR);
            }
            _ => shape.flags |= NO_HEADROOM,
        }
        shape.piece = choice.of(&[0, 7, 100, 333, 1000]);
        if choice.one_in(3) {
            shape.flags |= CLONED;
        }
        if choice.one_in(2) {
            shape.flags |= TAG;
        }
        // The kernel makes a copy of a shared one to take a tag out of it.
        if choice.one_in(12) {
            shape.flags |= SHARED | TAG;
        }
        if choice.one_in(8) {
            shape.flags |= PRIORITY_TAG;
        }
        shape
    }

    /// As many drivers have all frames come: no more than headers in the linear part. A packet socket may
    /// look, too.
    pub fn usual(choice: &mut Choice) -> Self {
        Self {
            sum: UNNECESSARY,
            level: 1,
            flags: if choice.one_in(2) { CLONED } else { 0 },
            linear: choice.of(&LINEAR),
            ..Self::default()
        }
    }

    /// Has it come at once with the next.
    pub fn before_next(mut self) -> Self {
        self.flags |= MORE;
        self
    }

    /// Whether the module leaves such packets alone, so that others of their flow may overtake them.
    pub fn is_odd(&self) -> bool {
        self.flags & (LIST | SHARED | TAG | PRIORITY_TAG) != 0
    }

    /// In C's layout, for `shot`.
    pub fn order(&self, shot: &Shot, entry: Entry) -> Vec<u8> {
        let at = |at: usize| u16::from_le_bytes([shot.header[at], shot.header[at + 1]]);
        let is_partial = shot.header[0] != 0;
        // A checksum that is to be filled in is all there is to say.
        let (sum, flags) = match is_partial {
            true => (PARTIAL, self.flags & !SPOIL),
            false => (self.sum, self.flags),
        };
        let entry = match entry {
            Entry::Direct => DIRECT,
            Entry::Gro if self.is_frags && !is_partial => FRAGS,
            Entry::Gro => RECEIVE,
        };
        let linear = if self.is_frags { 15 } else { self.linear };

        let mut order = vec![entry, sum, self.level, flags];
        for word in [linear, self.piece, at(6), at(8), at(4)] {
            order.extend(word.to_le_bytes());
        }
        order.extend([shot.header[1], 0]);
        order
    }
}

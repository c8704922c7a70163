// SPDX-License-Identifier: GPL-2.0

//! When nothing is left in a CPU's queues of what came before: turns that find that nothing was
//! received in between.
//!
//! Two are not enough: an instance that has used up its weight has its next turn behind what is
//! scheduled anew, as this stage is, so between two turns it may have none.

use core::sync::atomic::{
    AtomicU32,
    Ordering, //
};

/// After how many turns the kernel's queues are empty, whatever comes: a CPU's backlog holds a thousand
/// packets unless the kernel was told otherwise (`net.core.netdev_max_backlog`), and 64 leave in a poll.
pub const TURNS_MAX: u32 = 40;

/// How many turns in a row have to find that nothing was received since the one before.
pub const QUIET_TURNS: u32 = 2;

/// What a turn finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing is held, so that the turn tells nothing: packets go by meanwhile.
    Nothing,
    /// Something may be left of what came before. `is_first` in the first turn with something held.
    Busy {
        /// Whether it is the first turn.
        is_first: bool,
    },
    /// Nothing is left of what came before.
    Quiet,
}

/// The turns since something is held, of one CPU. Any CPU may start them anew.
#[derive(Default)]
pub struct Quiet {
    /// How many turns there were since the first packet was held.
    turns: AtomicU32,
    /// How many of the last turns have found that nothing was received since the one before.
    quiet: AtomicU32,
    /// How many packets the CPU had received when the last turn began.
    received: AtomicU32,
}

impl Quiet {
    /// The next turn is the first.
    pub fn start(&self) {
        self.turns.store(0, Ordering::Relaxed);
        self.quiet.store(0, Ordering::Relaxed);
    }

    /// A turn, when the CPU has `received` so many packets and something is held or not.
    pub fn turn(&self, is_held: bool, received: u32) -> Found {
        if !is_held {
            self.start();
            return Found::Nothing;
        }
        let before = self.received.load(Ordering::Relaxed);
        let turns = self.turns.load(Ordering::Relaxed);
        let quiet = if turns > 0 && received == before {
            self.quiet.load(Ordering::Relaxed).saturating_add(1)
        } else {
            0
        };

        self.received.store(received, Ordering::Relaxed);
        self.turns.store(turns.saturating_add(1), Ordering::Relaxed);
        self.quiet.store(quiet, Ordering::Relaxed);
        if turns >= TURNS_MAX || quiet >= QUIET_TURNS {
            Found::Quiet
        } else {
            Found::Busy {
                is_first: turns == 0,
            }
        }
    }
}

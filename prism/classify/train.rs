// SPDX-License-Identifier: GPL-2.0

//! Tells a flow that moves much at once from one that sends a little now and then.

/// From how many bytes on a packet counts as full-sized: what a TCP sender fills that has more to send,
/// with the smallest MTU of an overlay that is in use.
pub const FULL: u32 = 1000;
/// So many full-sized packets in a row are a train.
pub const CARS: u8 = 8;
/// In so many ticks what is kept together goes on: GRO holds packets for a poll, and where that does not
/// end, until the next tick.
pub const HELD: u32 = 2;

/// The last packets of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Train {
    /// When the last came, in ticks of any length.
    tick: u32,
    /// When the last came that had to go by itself.
    alone: u32,
    /// How many full-sized ones came back to back, at most [`CARS`].
    cars: u8,
    /// Whether packets are kept together, and some may still be where that is done.
    is_kept: bool,
}

impl Train {
    /// Whether a packet of `len` bytes that comes in `tick` is to be kept together with others: always, or if
    /// it is part of a train, which are at least [`CARS`] packets that came back to back, none of them
    /// smaller than [`FULL`] or more than a tick later than the one before.
    ///
    /// In each `term`, in ticks, one goes by itself nevertheless. And as long as `holds` says that some are
    /// held of those that were kept before, others are kept as well, as they would overtake them.
    pub fn keeps(
        &mut self,
        len: u32,
        tick: u32,
        term: u32,
        always: bool,
        holds: impl FnOnce() -> bool,
    ) -> bool {
        let is_joined = self.is_joined(len, tick);
        let is_due = tick.wrapping_sub(self.alone) >= term;

        if (always || is_joined) && !is_due {
            self.is_kept = true;
        } else if self.is_kept {
            self.is_kept = holds();
        }
        if !self.is_kept {
            self.alone = tick;
        }
        self.is_kept
    }

    /// Whether packets of the flow may be held in `tick`, so that what is known of it has to stay.
    pub fn may_be_held(&self, tick: u32) -> bool {
        self.is_kept && tick.wrapping_sub(self.tick) <= HELD
    }

    fn is_joined(&mut self, len: u32, tick: u32) -> bool {
        let is_close = tick.wrapping_sub(self.tick) <= 1;

        self.tick = tick;
        self.cars = match (len >= FULL, is_close) {
            (true, true) => self.cars.saturating_add(1).min(CARS),
            (true, false) => 1,
            (false, _) => 0,
        };
        self.cars == CARS
    }
}

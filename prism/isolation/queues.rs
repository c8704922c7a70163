// SPDX-License-Identifier: GPL-2.0

//! What waits on a CPU: a queue for each class but `high`.

use knet::{
    netdev::NetDevice,
    queue::{
        PacketQueue,
        Waiting, //
    },
    Met, //
};

use crate::{
    classify::{
        drr::Drr,
        Class, //
    },
    config::{
        LIMIT,
        LIMIT_BYTES,
        WEIGHTS, //
    },
};

/// A class keeps this part of all that wait, as 1 over this.
const KEPT: u32 = 16;

/// How a packet is given back to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// To GRO, which may merge it with others.
    Merge,
    /// Behind GRO, which would do nothing with it.
    Alone,
}

/// What is known of a packet that waits, as the word that the queue keeps for it.
#[derive(Clone, Copy)]
pub(super) struct Note {
    pub(super) bytes: u32,
    pub(super) how: Return,
    pub(super) met: Met,
}

impl Note {
    const MERGE: u32 = 1 << Met::BITS;
    const BYTES_SHIFT: u32 = Met::BITS + 1;

    fn to_word(self) -> u32 {
        let merge = match self.how {
            Return::Merge => Self::MERGE,
            Return::Alone => 0,
        };

        // Packets are far shorter.
        self.bytes.wrapping_shl(Self::BYTES_SHIFT) | merge | self.met.word()
    }

    fn of_word(word: u32) -> Self {
        Self {
            bytes: word >> Self::BYTES_SHIFT,
            how: if word & Self::MERGE != 0 {
                Return::Merge
            } else {
                Return::Alone
            },
            met: Met::from_word(word),
        }
    }
}

/// Whether there is room for a packet.
pub(super) enum Room {
    /// There was.
    Free,
    /// There is, once this packet is dropped, which was of the class with that index.
    Made(Waiting, usize),
    /// The packet has to be dropped itself.
    None,
}

/// The packets that wait.
#[derive(Default)]
pub(crate) struct Queues {
    classes: [PacketQueue; Class::WAITING],
    drr: Drr<{ Class::WAITING }>,
    packets: u32,
    bytes: u64,
}

impl Queues {
    /// How many packets wait.
    #[inline]
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// Sees to it that there is room for a packet of the class with the index `class`. Where there is none,
    /// the oldest packet of the lowest class goes, or the new one if that is its class. A class keeps a few
    /// packets whatever others there are, or it would starve behind the door.
    #[inline]
    pub(super) fn make_room(&mut self, class: usize) -> Room {
        if self.packets >= LIMIT.get() || self.bytes >= u64::from(LIMIT_BYTES.get()) {
            return self.evict(class);
        }
        Room::Free
    }

    #[cold]
    fn evict(&mut self, class: usize) -> Room {
        let kept = self.packets / KEPT;
        let exceeds = |(index, queue): (usize, &PacketQueue)| {
            queue.len().saturating_add((index == class).into()) > kept
        };
        let victim = self
            .classes
            .iter()
            .enumerate()
            .map(exceeds)
            .rposition(|yes| yes)
            .filter(|&victim| victim != class);

        match victim.and_then(|victim| Some((self.pop(victim)?.0, victim))) {
            Some((packet, victim)) => Room::Made(packet, victim),
            None => Room::None,
        }
    }

    /// Adds a packet for which there is room to the queue with the index `class`.
    #[inline]
    pub(super) fn push(&mut self, class: usize, packet: Waiting, note: Note) {
        if let Some(queue) = self.classes.get_mut(class) {
            queue.push(packet, note.to_word());
            self.packets = self.packets.saturating_add(1);
            self.bytes = self.bytes.saturating_add(note.bytes.into());
        }
    }

    #[inline]
    fn pop(&mut self, class: usize) -> Option<(Waiting, Note)> {
        let (packet, word) = self.classes.get_mut(class)?.pop()?;
        let note = Note::of_word(word);

        self.forget(note);
        Some((packet, note))
    }

    #[inline]
    fn forget(&mut self, note: Note) {
        self.packets = self.packets.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(note.bytes.into());
    }

    /// Whether packets of several classes waited when the last was taken.
    #[inline]
    pub(super) fn are_mixed(&self) -> bool {
        !self.drr.is_alone()
    }

    /// Takes the packet whose turn it is, and the index of its class.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(Waiting, Note, usize)> {
        let Self { classes, drr, .. } = self;
        let class = drr.next(
            |class| classes.get(class).is_some_and(|queue| !queue.is_empty()),
            |class| WEIGHTS.get(class).map_or(1, |weight| weight.get()),
        )?;
        let (packet, note) = self.pop(class)?;

        self.drr.spend(class, note.bytes);
        Some((packet, note, class))
    }

    /// Drops what was received on `device`. How many packets that were.
    pub(super) fn drop_from(&mut self, device: NetDevice<'_>) -> u32 {
        let before = self.packets;
        let Self {
            classes,
            packets,
            bytes,
            ..
        } = self;

        for queue in classes {
            queue.purge(device, |word| {
                *packets = packets.saturating_sub(1);
                *bytes = bytes.saturating_sub(Note::of_word(word).bytes.into());
            });
        }
        before.saturating_sub(self.packets)
    }
}

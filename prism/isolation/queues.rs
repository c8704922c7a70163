// SPDX-License-Identifier: GPL-2.0

//! What waits on a CPU: a queue for each class but `high`.

use knet::{
    netdev::NetDevice,
    queue::{
        Memo,
        PacketQueue,
        Waiting, //
    },
    Frame,
    Met, //
};

use crate::{
    classify::{
        cache::Ticket,
        drr::Drr,
        Class, //
    },
    config::{
        LIMIT,
        LIMIT_BYTES,
        WEIGHTS, //
    },
    found::Found,
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

/// What is known of a packet that waits, as the memo that the queue keeps of it.
#[derive(Clone, Copy)]
pub(crate) struct Note {
    pub(super) bytes: u32,
    pub(super) how: Return,
    pub(super) met: Met,
    /// That of its flow, if it is known.
    pub(super) ticket: Ticket,
    pub(super) standing: Standing,
}

/// Where a packet waits, for those whose flow may have others elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// Its flow has all in one place.
    Plain,
    /// In class `interactive`, which is its own.
    Interactive,
    /// In class `normal`, and its own is `high`.
    FromHigh,
    /// In class `normal`, and its own is `interactive`.
    FromInteractive,
}

impl Standing {
    /// From the lowest two bits of a word.
    #[inline]
    fn from_bits(word: u32) -> Self {
        match word & 3 {
            0 => Self::Plain,
            1 => Self::Interactive,
            2 => Self::FromHigh,
            _ => Self::FromInteractive,
        }
    }

    /// Of a packet of class `own` that waits in `class`.
    #[inline]
    fn of(own: Class, class: Class) -> Self {
        match (own, class) {
            (Class::High, Class::Normal) => Self::FromHigh,
            (Class::Interactive, Class::Normal) => Self::FromInteractive,
            (Class::Interactive, _) => Self::Interactive,
            _ => Self::Plain,
        }
    }

    /// Whether it is displaced, and from where.
    #[inline]
    pub(crate) fn displaced_from(self) -> Option<Class> {
        match self {
            Self::FromHigh => Some(Class::High),
            Self::FromInteractive => Some(Class::Interactive),
            Self::Plain | Self::Interactive => None,
        }
    }
}

impl Note {
    /// Of a frame that is about to wait.
    #[inline]
    pub(crate) fn new(frame: &Frame<'_>, found: &Found) -> Self {
        Self {
            bytes: frame.len(),
            how: found.how(frame),
            met: frame.met(),
            ticket: found.ticket(),
            standing: Standing::of(found.own, found.class),
        }
    }

    /// Where the packet waits.
    #[inline]
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether that is in a lower class than that of its rule.
    #[inline]
    pub(super) fn is_displaced(&self) -> bool {
        self.standing.displaced_from().is_some()
    }

    /// That of the packet's flow.
    #[inline]
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    const MERGE: u32 = 1 << Met::BITS;
    const STANDING_SHIFT: u32 = Met::BITS + 1;
    const BYTES_SHIFT: u32 = Met::BITS + 3;

    fn to_memo(self) -> Memo {
        let merge = match self.how {
            Return::Merge => Self::MERGE,
            Return::Alone => 0,
        };

        // Packets are far shorter.
        let bytes = self.bytes.wrapping_shl(Self::BYTES_SHIFT);
        let standing = (self.standing as u32).wrapping_shl(Self::STANDING_SHIFT);

        Memo {
            word: bytes | standing | merge | self.met.word(),
            ticket: self.ticket.word(),
        }
    }

    fn of_memo(memo: Memo) -> Self {
        let word = memo.word;

        Self {
            bytes: word >> Self::BYTES_SHIFT,
            how: if word & Self::MERGE != 0 {
                Return::Merge
            } else {
                Return::Alone
            },
            met: Met::from_word(word),
            ticket: Ticket::from_word(memo.ticket),
            standing: Standing::from_bits(word >> Self::STANDING_SHIFT),
        }
    }
}

/// Whether there is room for a packet.
pub(super) enum Room {
    /// There was.
    Free,
    /// There is, once this packet is dropped, which was of the class with that index.
    Made(Waiting, usize, Note),
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
    /// How many of them are displaced, and of flows that are not known.
    displaced: Displaced,
}

/// How many packets wait in a lower class than that of their rule.
#[derive(Clone, Copy, Default)]
pub(super) struct Displaced {
    pub(super) packets: u32,
    /// Those of flows that are not known.
    pub(super) strangers: u32,
}

impl Displaced {
    #[inline]
    fn change(&mut self, note: Note, f: impl Fn(u32) -> u32) {
        if note.is_displaced() {
            self.packets = f(self.packets);
            if note.ticket == Ticket::NONE {
                self.strangers = f(self.strangers);
            }
        }
    }
}

impl Queues {
    /// How many packets wait.
    #[inline]
    pub(super) fn packets(&self) -> u32 {
        self.packets
    }

    /// Whether none waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.packets == 0
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

        match victim.and_then(|victim| Some((self.pop(victim)?, victim))) {
            Some(((packet, note), victim)) => Room::Made(packet, victim, note),
            None => Room::None,
        }
    }

    /// Adds a packet for which there is room to the queue with the index `class`.
    #[inline]
    pub(super) fn push(&mut self, class: usize, packet: Waiting, note: Note) {
        if let Some(queue) = self.classes.get_mut(class) {
            queue.push(packet, note.to_memo());
            self.packets = self.packets.saturating_add(1);
            self.bytes = self.bytes.saturating_add(note.bytes.into());
            self.displaced.change(note, |count| count.saturating_add(1));
        }
    }

    #[inline]
    fn pop(&mut self, class: usize) -> Option<(Waiting, Note)> {
        let (packet, memo) = self.classes.get_mut(class)?.pop()?;
        let note = Note::of_memo(memo);

        self.forget(note);
        Some((packet, note))
    }

    #[inline]
    fn forget(&mut self, note: Note) {
        self.packets = self.packets.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(note.bytes.into());
        self.displaced.change(note, |count| count.saturating_sub(1));
    }

    /// How many packets are displaced.
    #[inline]
    pub(super) fn displaced(&self) -> Displaced {
        self.displaced
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
            displaced,
            ..
        } = self;

        for queue in classes {
            queue.purge(device, |memo| {
                let note = Note::of_memo(memo);

                *packets = packets.saturating_sub(1);
                *bytes = bytes.saturating_sub(note.bytes.into());
                displaced.change(note, |count| count.saturating_sub(1));
            });
        }
        before.saturating_sub(self.packets)
    }
}

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
    latency::Moment,
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

/// What is known of a packet that waits, as the memo that the queue keeps of it. Its word has, from the
/// lowest bit on: how the packet was met, whether GRO may merge it, its standing, and its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Note(Memo);

impl Note {
    const MERGE: u32 = 1 << Met::BITS;
    const STANDING_SHIFT: u32 = Met::BITS + 1;
    const STANDING: u32 = 3 << Self::STANDING_SHIFT;
    const BYTES_SHIFT: u32 = Self::STANDING_SHIFT + 2;

    /// Of a frame that is about to wait.
    #[inline]
    pub(crate) fn new(frame: &Frame<'_>, found: &Found) -> Self {
        let merge = match found.how(frame) {
            Return::Merge => Self::MERGE,
            Return::Alone => 0,
        };
        let standing = Standing::of(found.own, found.class) as u32;
        // Packets are far shorter.
        let bytes = frame.len().wrapping_shl(Self::BYTES_SHIFT);

        Self(Memo {
            word: bytes | standing.wrapping_shl(Self::STANDING_SHIFT) | merge | frame.met().word(),
            ticket: found.ticket().word(),
            since: Moment::NONE.word(),
        })
    }

    /// The same of a packet that was first seen then.
    #[cold]
    pub(crate) fn since(self, moment: Moment) -> Self {
        Self(Memo {
            since: moment.word(),
            ..self.0
        })
    }

    /// When the packet was first seen.
    pub(super) fn moment(self) -> Moment {
        Moment::from_word(self.0.since)
    }

    /// Its length, from the network header on.
    #[inline]
    pub(super) fn bytes(self) -> u32 {
        self.0.word >> Self::BYTES_SHIFT
    }

    /// How the packet is given back.
    #[inline]
    pub(super) fn how(self) -> Return {
        if self.0.word & Self::MERGE != 0 {
            Return::Merge
        } else {
            Return::Alone
        }
    }

    /// How it was met.
    #[inline]
    pub(crate) fn met(self) -> Met {
        Met::from_word(self.0.word)
    }

    /// The ticket of its flow.
    #[inline]
    pub(crate) fn ticket(self) -> Ticket {
        Ticket::from_word(self.0.ticket)
    }

    /// Whether its flow has all packets in one place.
    #[inline]
    pub(crate) fn is_plain(self) -> bool {
        self.0.word & Self::STANDING == 0
    }

    /// Where it waits.
    #[inline]
    pub(crate) fn standing(self) -> Standing {
        Standing::from_bits(self.0.word >> Self::STANDING_SHIFT)
    }

    /// Whether that is in a lower class than that of its rule.
    #[inline]
    pub(super) fn is_displaced(self) -> bool {
        !self.is_plain() && self.standing().displaced_from().is_some()
    }
}

/// A packet that had to make room, of the class with that index.
pub(crate) struct Evicted(pub(crate) Waiting, pub(crate) usize, pub(crate) Note);

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
            if note.ticket() == Ticket::NONE {
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

    /// Whether there is room for a packet.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.packets < LIMIT.get() && self.bytes < u64::from(LIMIT_BYTES.get())
    }

    /// Makes room for a packet of the class with the index `class`: the oldest packet of the lowest class
    /// goes. None if that is the packet's own class, so that it has to be dropped itself. A class keeps a
    /// few packets whatever others there are, or it would starve behind the door.
    #[cold]
    pub(super) fn evict(&mut self, class: usize) -> Option<Evicted> {
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
            .filter(|&victim| victim != class)?;
        let (packet, note) = self.pop(victim)?;

        Some(Evicted(packet, victim, note))
    }

    /// Adds a packet for which there is room to the queue with the index `class`.
    #[inline]
    pub(super) fn push(&mut self, class: usize, packet: Waiting, note: Note) {
        if let Some(queue) = self.classes.get_mut(class) {
            queue.push(packet, note.0);
            self.packets = self.packets.saturating_add(1);
            self.bytes = self.bytes.saturating_add(note.bytes().into());
            self.displaced.change(note, |count| count.saturating_add(1));
        }
    }

    #[inline]
    fn pop(&mut self, class: usize) -> Option<(Waiting, Note)> {
        let (packet, memo) = self.classes.get_mut(class)?.pop()?;
        let note = Note(memo);

        self.forget(note);
        Some((packet, note))
    }

    #[inline]
    fn forget(&mut self, note: Note) {
        self.packets = self.packets.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(note.bytes().into());
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

        self.drr.spend(class, note.bytes());
        Some((packet, note, class))
    }

    /// Has the counts say that nothing waits, where nothing was found.
    #[cold]
    pub(super) fn have_nothing(&mut self) {
        self.packets = 0;
        self.bytes = 0;
        self.displaced = Displaced::default();
    }

    /// Moves what was received on `device` to `to`.
    pub(super) fn take_from(&mut self, device: NetDevice<'_>, to: &mut PacketQueue) {
        let Self {
            classes,
            packets,
            bytes,
            displaced,
            ..
        } = self;

        for queue in classes {
            queue.purge(device, to, |memo| {
                let note = Note(memo);

                *packets = packets.saturating_sub(1);
                *bytes = bytes.saturating_sub(note.bytes().into());
                displaced.change(note, |count| count.saturating_sub(1));
            });
        }
    }
}

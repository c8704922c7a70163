// SPDX-License-Identifier: GPL-2.0

//! What the packet path does, as far as a change of it could put a flow out of order.
//!
//! All of it is one word, with a version that each change raises, of the settings and of the rules
//! alike. A CPU acts by the word that it has adopted, see [`gate`](crate::gate), and never adopts one
//! in the middle of a change.

use core::sync::atomic::{
    AtomicU64,
    Ordering, //
};

use crate::classify::Class;

/// What becomes of packets of class `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing: no hook is registered.
    Off,
    /// Those of a NIC's poll go through the kernel's own layers together, before all others.
    Batch,
    /// They run to completion through the kernel's own layers.
    Sync,
    /// The same, and past the outer layers and the bridge where the kernel has shown the way.
    Express,
}

impl Mode {
    /// All modes, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Off, Self::Batch, Self::Sync, Self::Express];

    /// The mode as a user writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Batch => "batch",
            Self::Sync => "sync",
            Self::Express => "express",
        }
    }

    /// The mode that a user wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == text)
    }
}

/// The settings of a moment.
///
/// In its bits are the mode, whether what is not of class `high` waits, the lowest class that takes the
/// mode's way, whether a change is under way, and the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings(u64);

const MODE: u64 = 3;
const ISOLATE: u64 = 1 << 2;
const ACCELERATE_SHIFT: u32 = 3;
const ACCELERATE: u64 = 7 << ACCELERATE_SHIFT;
/// The lowest bit of the version: set in the middle of a change.
const CHANGING: u64 = 1 << 8;

impl Settings {
    /// Those of no moment.
    pub(crate) const NONE: Self = Self(CHANGING);

    #[inline]
    pub(crate) fn from_word(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    /// Whether a change is under way.
    #[inline]
    pub(crate) fn is_changing(self) -> bool {
        self.0 & CHANGING != 0
    }

    /// Whether others are in force.
    #[inline]
    pub(crate) fn is_outdated(self) -> bool {
        self != current()
    }

    /// Whether the mode is this one.
    #[inline]
    pub(crate) fn is_mode(self, mode: Mode) -> bool {
        self.0 & MODE == mode as u64
    }

    /// Whether what is not of class `high` waits.
    #[inline]
    pub(crate) fn isolates(self) -> bool {
        self.0 & ISOLATE != 0
    }

    /// Whether they send all packets the kernel's way.
    #[inline]
    pub(crate) fn pass_all(self) -> bool {
        self.is_mode(Mode::Off) && !self.isolates()
    }

    /// Whether packets of `class` take the mode's way once it is their turn.
    #[inline]
    pub(crate) fn accelerates(self, class: Class) -> bool {
        !self.is_mode(Mode::Off) && class as u64 <= (self.0 & ACCELERATE) >> ACCELERATE_SHIFT
    }

    /// The lowest class that takes the mode's way once it is its turn.
    pub(crate) fn accelerate(self) -> Class {
        let index = (self.0 & ACCELERATE) >> ACCELERATE_SHIFT;

        Class::ALL
            .get(index as usize)
            .copied()
            .unwrap_or(Class::High)
    }

    fn with(self, mask: u64, bits: u64) -> Self {
        Self(self.0 & !mask | bits & mask)
    }

    fn with_mode(self, mode: Mode) -> Self {
        self.with(MODE, mode as u64)
    }

    fn with_isolate(self, isolate: bool) -> Self {
        self.with(ISOLATE, if isolate { ISOLATE } else { 0 })
    }

    fn with_accelerate(self, class: Class) -> Self {
        self.with(ACCELERATE, (class as u64).wrapping_shl(ACCELERATE_SHIFT))
    }
}

/// Mode `off`, no isolation, and class `high` alone takes the mode's way.
static CURRENT: AtomicU64 = AtomicU64::new(0);

/// The settings in force.
#[inline]
pub(crate) fn current() -> Settings {
    // What was changed before is seen with them.
    Settings(CURRENT.load(Ordering::Acquire))
}

/// Changes the mode and whether what is not of class `high` waits, at once.
pub(crate) fn set_mode(mode: Mode, isolate: bool) {
    change(|settings| settings.with_mode(mode).with_isolate(isolate));
}

/// Changes the lowest class that takes the mode's way.
pub(crate) fn set_accelerate(class: Class) {
    change(|settings| settings.with_accelerate(class));
}

fn change(f: impl Fn(Settings) -> Settings) {
    let _ = CURRENT.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
        let new = f(Settings(word)).0;

        (new != word).then(|| new.wrapping_add(2 * CHANGING))
    });
}

/// Calls `f`, which changes the rules. One caller at a time.
///
/// Who looked something up that `f` has changed and then looks at the settings finds other ones.
pub(crate) fn while_changing<R>(f: impl FnOnce() -> R) -> R {
    CURRENT.fetch_add(CHANGING, Ordering::AcqRel);
    let result = f();

    CURRENT.fetch_add(CHANGING, Ordering::AcqRel);
    result
}

// SPDX-License-Identifier: GPL-2.0

//! The fields of a rule that say what becomes of its flows.

use core::{
    fmt,
    str::FromStr, //
};

use super::{
    text::{
        number,
        trim, //
    },
    Error, //
};

/// The class of a flow: how soon its packets are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Served first, by the mode's path.
    High = 0,
    /// Served before what has no rule.
    Interactive,
    /// What a packet without a rule is.
    #[default]
    Normal,
    /// Served last.
    Bulk,
}

impl Class {
    /// All classes, the first to be served first; each stands at its own [`index`](Self::index).
    pub const ALL: [Self; 4] = [Self::High, Self::Interactive, Self::Normal, Self::Bulk];

    /// The number of classes.
    pub const COUNT: usize = Self::ALL.len();

    /// The number of classes whose packets may have to wait: all but the first.
    pub const WAITING: usize = Self::COUNT - 1;

    /// The class's place in an array of [`WAITING`](Self::WAITING). `None` for [`High`](Self::High).
    #[inline]
    pub const fn waiting_index(self) -> Option<usize> {
        self.index().checked_sub(1)
    }

    /// The class with this [`waiting_index`](Self::waiting_index).
    #[inline]
    pub fn of_waiting_index(index: usize) -> Option<Self> {
        Self::ALL.get(index.checked_add(1)?).copied()
    }

    /// The class's place in an array of [`COUNT`](Self::COUNT).
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The class's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Interactive => "interactive",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }
}

impl FromStr for Class {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = trim(text);

        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == text)
            .ok_or(Error::Expected("high, interactive, normal or bulk"))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `gro` of a rule: whether packets of class high are merged, or run to completion one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Gro {
    /// By what comes: merged while segments come full-sized and back to back.
    #[default]
    Auto,
    /// One by one, before GRO.
    Bypass,
    /// Merged where GRO can.
    Keep,
}

impl Gro {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Bypass, Self::Keep];

    /// The value's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Bypass => "bypass",
            Self::Keep => "keep",
        }
    }
}

impl FromStr for Gro {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = trim(text);

        Self::ALL
            .into_iter()
            .find(|gro| gro.as_str() == text)
            .ok_or(Error::Expected("auto, bypass or keep"))
    }
}

impl fmt::Display for Gro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `rate` of a rule in packets per second; zero is unlimited.
///
/// # Invariants
///
/// At most [`Rate::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate(u32);

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self(0);
    /// The highest limit, in packets per second: one a nanosecond.
    pub const MAX: u32 = 1_000_000_000;

    /// The limit of `rate` packets per second, if that is at most [`MAX`](Self::MAX).
    pub const fn new(rate: u32) -> Option<Self> {
        // INVARIANT: Just checked.
        if rate <= Self::MAX {
            Some(Self(rate))
        } else {
            None
        }
    }

    /// Packets per second; zero is unlimited.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        number(trim(text))
            .and_then(|rate| u32::try_from(rate).ok())
            .and_then(Self::new)
            .ok_or(Error::Expected(
                "packets per second from 1 to 1000000000, or 0 for no limit",
            ))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

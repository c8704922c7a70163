// SPDX-License-Identifier: GPL-2.0

//! Ranges of ports.

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

/// The `source_port` or the `destination_port` of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortMatch {
    /// Any port, or none: `any`.
    #[default]
    Any,
    /// The ports from `first` to `last`: `80`, `8000-8999`.
    In(Ports),
}

/// A range of ports.
///
/// # Invariants
///
/// `first` is not zero and not greater than `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// The ports from `first` to `last`.
    ///
    /// # Errors
    ///
    /// - [`Error::PortZero`].
    /// - [`Error::Reversed`].
    pub fn new(first: u16, last: u16) -> Result<Self, Error> {
        if first == 0 || last == 0 {
            return Err(Error::PortZero);
        }
        if first > last {
            return Err(Error::Reversed { first, last });
        }

        // INVARIANT: Just checked.
        Ok(Self { first, last })
    }

    /// The lowest port.
    #[inline]
    pub fn first(&self) -> u16 {
        self.first
    }

    /// The highest port.
    #[inline]
    pub fn last(&self) -> u16 {
        self.last
    }
}

impl PortMatch {
    pub(super) fn bits(&self) -> u32 {
        match self {
            Self::Any => 0,
            // The leading zeros of the last port's distance from the first.
            Self::In(ports) => ports.last.wrapping_sub(ports.first).leading_zeros(),
        }
    }
}

impl FromStr for PortMatch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const EXPECTED: Error =
            Error::Expected("any, a port from 1 to 65535 or a range of them such as 8000-8999");

        let text = trim(text);
        if text == "any" {
            return Ok(Self::Any);
        }

        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text| {
            number(text)
                .and_then(|port| u16::try_from(port).ok())
                .ok_or(EXPECTED)
        };
        Ports::new(port(first)?, port(last)?).map(Self::In)
    }
}

impl fmt::Display for PortMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::In(ports) if ports.first == ports.last => ports.first.fmt(f),
            Self::In(ports) => write!(f, "{}-{}", ports.first, ports.last),
        }
    }
}

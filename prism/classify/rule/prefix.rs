// SPDX-License-Identifier: GPL-2.0

//! Address prefixes: RFC 4632 and RFC 4291 notation.

use core::{
    fmt,
    net::{
        IpAddr,
        Ipv4Addr,
        Ipv6Addr, //
    },
    str::FromStr, //
};

use super::{
    super::Family,
    text::{
        number,
        trim, //
    },
    Error, //
};

/// What an address file takes.
const EXPECTED: Error =
    Error::Expected("any, or an IPv4 or IPv6 prefix such as 10.0.0.0/8 or fd00::/8");

/// A prefix of either family.
///
/// # Invariants
///
/// `length` is at most the number of bits in `address`, whose bits behind `length` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The prefix of `length` bits that is `address`.
    ///
    /// # Errors
    ///
    /// - [`Error::PrefixLength`] where the family's addresses are shorter.
    /// - [`Error::HostBits`] where `address` has bits behind the prefix.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, Error> {
        let max = bits(address);
        if length > max {
            return Err(Error::PrefixLength { max });
        }

        // INVARIANT: The length was just checked, and `masked` clears the bits behind it.
        let prefix = Self {
            address: masked(address, length),
            length,
        };
        if prefix.address != address {
            return Err(Error::HostBits { address, prefix });
        }
        Ok(prefix)
    }

    /// The address whose first [`length`](Self::length) bits count.
    #[inline]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length in bits.
    #[inline]
    pub fn length(&self) -> u8 {
        self.length
    }
}

/// The number of bits in `address`.
fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// `address` with all but its first `length` bits cleared.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() & mask_v4(length)).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & mask_v6(length)).into(),
    }
}

/// A mask of the first `length` bits of an IPv4 address.
pub(crate) fn mask_v4(length: u8) -> u32 {
    !u32::MAX.checked_shr(length.into()).unwrap_or(0)
}

/// A mask of the first `length` bits of an IPv6 address.
pub(crate) fn mask_v6(length: u8) -> u128 {
    !u128::MAX.checked_shr(length.into()).unwrap_or(0)
}

impl FromStr for Prefix {
    type Err = Error;

    /// Parses `ADDRESS/LENGTH`, or `ADDRESS` alone for a single host.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = trim(text);
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };

        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let max = bits(address);
        let length = match length {
            Some(length) => number(length).ok_or(EXPECTED)?,
            None => max.into(),
        };
        let length = u8::try_from(length).map_err(|_| Error::PrefixLength { max })?;
        Self::new(address, length)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The `source` or the `destination` of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressMatch {
    /// Any address of either family: `any`.
    #[default]
    Any,
    /// The addresses that start with a prefix: `10.0.0.0/8`, `fd00::/8`.
    In(Prefix),
}

impl AddressMatch {
    /// The family of the addresses that match, unless they are of both.
    pub fn family(&self) -> Option<Family> {
        match self {
            Self::Any => None,
            Self::In(prefix) => Some(Family::of(prefix.address)),
        }
    }

    pub(super) fn bits(&self) -> u32 {
        match self {
            Self::Any => 0,
            Self::In(prefix) => prefix.length.into(),
        }
    }
}

impl FromStr for AddressMatch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match trim(text) {
            "any" => Ok(Self::Any),
            text => text.parse().map(Self::In),
        }
    }
}

impl fmt::Display for AddressMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::In(prefix) => prefix.fmt(f),
        }
    }
}

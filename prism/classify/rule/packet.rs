// SPDX-License-Identifier: GPL-2.0

//! The fields of a rule that stand for single values in a packet: VNI, protocol and DSCP.

use core::{
    fmt,
    str::FromStr, //
};

use super::{
    super::{
        Protocol,
        Vni, //
    },
    text::{
        number,
        trim, //
    },
    Error, //
};

/// The `vni` of a rule.
///
/// A flow inside a tunnel has its tunnel's VNI; a flow of the host itself, which came in no tunnel,
/// has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VniMatch {
    /// Flows of the host and of each VNI: `any`.
    #[default]
    Any,
    /// Flows of the host only: `none`.
    None,
    /// Flows in the tunnels of one VNI: 0 to 16777215.
    Is(Vni),
}

impl VniMatch {
    pub(super) fn bits(&self) -> u32 {
        match self {
            Self::Any => 0,
            Self::None | Self::Is(_) => 24,
        }
    }
}

impl FromStr for VniMatch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match trim(text) {
            "any" => Ok(Self::Any),
            "none" => Ok(Self::None),
            text => number(text)
                .and_then(|vni| u32::try_from(vni).ok())
                .and_then(Vni::new)
                .map(Self::Is)
                .ok_or(Error::Expected("any, none or a VNI from 0 to 16777215")),
        }
    }
}

impl fmt::Display for VniMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::None => f.write_str("none"),
            Self::Is(vni) => vni.get().fmt(f),
        }
    }
}

/// The `protocol` of a rule.
///
/// The number is that of the IPv4 Protocol or the IPv6 Next Header field. Numbers of IPv6 extension
/// headers match no IPv6 flow, as such packets are not classified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolMatch {
    /// Any protocol: `any`.
    #[default]
    Any,
    /// One protocol: `tcp`, `udp`, `sctp`, `icmp`, `icmpv6`, or a number from 0 to 255.
    Is(Protocol),
}

/// The protocols that have a name.
const PROTOCOLS: [(&str, Protocol); 5] = [
    ("tcp", Protocol::TCP),
    ("udp", Protocol::UDP),
    ("sctp", Protocol::SCTP),
    ("icmp", Protocol::ICMP),
    ("icmpv6", Protocol::ICMPV6),
];

impl ProtocolMatch {
    pub(super) fn bits(&self) -> u32 {
        match self {
            Self::Any => 0,
            Self::Is(_) => 8,
        }
    }
}

impl FromStr for ProtocolMatch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = trim(text);
        if text == "any" {
            return Ok(Self::Any);
        }

        let named = PROTOCOLS.iter().find(|(name, _)| *name == text);
        let numbered = || Some(Protocol(u8::try_from(number(text)?).ok()?));
        named
            .map(|(_, protocol)| *protocol)
            .or_else(numbered)
            .map(Self::Is)
            .ok_or(Error::Expected(
                "any, tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255",
            ))
    }
}

impl fmt::Display for ProtocolMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Is(protocol) = self else {
            return f.write_str("any");
        };
        match PROTOCOLS.iter().find(|(_, named)| named == protocol) {
            Some((name, _)) => f.write_str(name),
            None => protocol.0.fmt(f),
        }
    }
}

/// The `dscp` of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DscpMatch {
    /// Any codepoint: `any`.
    #[default]
    Any,
    /// One codepoint: a number from 0 to 63, or a name of RFC 2474, 2597, 3246, 5865 or 8622.
    Is(Dscp),
}

/// A Differentiated Services codepoint.
///
/// # Invariants
///
/// At most 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dscp(u8);

impl Dscp {
    /// The codepoint `dscp`, if it fits six bits.
    pub const fn new(dscp: u8) -> Option<Self> {
        // INVARIANT: Just checked.
        if dscp < 64 {
            Some(Self(dscp))
        } else {
            None
        }
    }

    /// The codepoint as a number.
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The codepoint of that name.
    fn named(name: &str) -> Option<Self> {
        CODEPOINTS
            .iter()
            .find(|(known, _)| *known == name)
            .and_then(|(_, dscp)| Self::new(*dscp))
    }
}

/// The codepoints that have a name.
const CODEPOINTS: [(&str, u8); 23] = [
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("ef", 46),
    ("va", 44),
    ("le", 1),
];

impl DscpMatch {
    pub(super) fn bits(&self) -> u32 {
        match self {
            Self::Any => 0,
            Self::Is(_) => 6,
        }
    }
}

impl FromStr for DscpMatch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = trim(text);
        if text == "any" {
            return Ok(Self::Any);
        }

        let numbered = || Dscp::new(u8::try_from(number(text)?).ok()?);
        Dscp::named(text)
            .or_else(numbered)
            .map(Self::Is)
            .ok_or(Error::Expected(
                "any, a number from 0 to 63 or a name such as ef, cs5 or af41",
            ))
    }
}

impl fmt::Display for DscpMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Is(dscp) => dscp.0.fmt(f),
        }
    }
}

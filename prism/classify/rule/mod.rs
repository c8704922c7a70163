// SPDX-License-Identifier: GPL-2.0

//! Rules: which flows an operator names, and what becomes of them.
//!
//! Each field of a rule has a type whose text form, by [`FromStr`](core::str::FromStr) and
//! [`Display`](core::fmt::Display), is that of the configfs file of the same name. Parsing accepts one
//! trailing newline and spaces around the value; what is displayed can be parsed back.

mod action;
mod error;
mod field;
mod packet;
mod port;
mod prefix;
mod text;

pub use self::{
    action::{
        Class,
        Gro,
        Rate, //
    },
    error::Error,
    field::{
        Field,
        FieldOf, //
    },
    packet::{
        Dscp,
        DscpMatch,
        ProtocolMatch,
        VniMatch, //
    },
    port::{
        PortMatch,
        Ports, //
    },
    prefix::{
        AddressMatch,
        Prefix, //
    },
    text::parse_bool, //
};

pub(super) use self::prefix::{
    mask_v4,
    mask_v6, //
};

use super::{
    Family,
    Protocol, //
};

/// A rule as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The flows that the rule names.
    pub flows: Match,
    /// The class of these flows.
    pub class: Class,
    /// The rate above which packets are demoted, over all flows of the rule together.
    pub rate: Rate,
    /// Whether packets of class `high` are merged.
    pub gro: Gro,
    /// Whether the rule takes part in classification.
    pub enabled: bool,
}

/// The fields that a flow must have for a rule to name it: all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The VXLAN network.
    pub vni: VniMatch,
    /// The protocol.
    pub protocol: ProtocolMatch,
    /// The source address.
    pub source: AddressMatch,
    /// The destination address.
    pub destination: AddressMatch,
    /// The source port.
    pub source_port: PortMatch,
    /// The destination port.
    pub destination_port: PortMatch,
    /// The Differentiated Services codepoint.
    pub dscp: DscpMatch,
}

impl Match {
    /// The fields of a new rule: each `any`.
    pub const ANY: Self = Self {
        vni: VniMatch::Any,
        protocol: ProtocolMatch::Any,
        source: AddressMatch::Any,
        destination: AddressMatch::Any,
        source_port: PortMatch::Any,
        destination_port: PortMatch::Any,
        dscp: DscpMatch::Any,
    };

    /// Whether a rule with these fields may be enabled.
    ///
    /// # Errors
    ///
    /// - [`Error::NoMatch`] where each field is `any`.
    /// - [`Error::Families`] for a source and a destination of different families.
    /// - [`Error::PortsWithoutProtocol`] for a port where the protocol has none or is `any`.
    /// - [`Error::IcmpFamily`] for ICMP with IPv6 addresses, and ICMPv6 with IPv4 ones.
    pub fn validate(&self) -> Result<(), Error> {
        if *self == Self::ANY {
            return Err(Error::NoMatch);
        }
        self.check_families()?;
        self.check_ports()
    }

    fn check_families(&self) -> Result<(), Error> {
        let source = self.source.family();
        let destination = self.destination.family();
        if let (Some(source), Some(destination)) = (source, destination) {
            if source != destination {
                return Err(Error::Families);
            }
        }

        match (self.protocol, source.or(destination)) {
            (ProtocolMatch::Is(Protocol::ICMP), Some(Family::V6))
            | (ProtocolMatch::Is(Protocol::ICMPV6), Some(Family::V4)) => Err(Error::IcmpFamily),
            _ => Ok(()),
        }
    }

    fn check_ports(&self) -> Result<(), Error> {
        if self.source_port == PortMatch::Any && self.destination_port == PortMatch::Any {
            return Ok(());
        }
        match self.protocol {
            ProtocolMatch::Is(protocol) if protocol.has_ports() => Ok(()),
            _ => Err(Error::PortsWithoutProtocol),
        }
    }

    /// How specific the fields are: of several rules that name a flow, the one with the highest
    /// specificity counts.
    ///
    /// It is the number of bits that the fields fix: 24 for a VNI or `none`, 8 for a protocol, a
    /// prefix's length for an address, 16 for a port and for a range 16 less the bits it takes to
    /// count its ports, 6 for a DSCP; and one for the IP version where there is a prefix.
    pub fn specificity(&self) -> u32 {
        let family = self.source.family().or(self.destination.family());

        [
            self.vni.bits(),
            self.protocol.bits(),
            self.source.bits(),
            self.destination.bits(),
            self.source_port.bits(),
            self.destination_port.bits(),
            self.dscp.bits(),
            family.is_some().into(),
        ]
        .iter()
        .fold(0, |sum, bits| sum.saturating_add(*bits))
    }
}

/// The highest [specificity](Match::specificity): that of a rule with a VNI, a protocol, two IPv6
/// addresses, two ports and a DSCP.
pub const SPECIFICITY_MAX: usize = 24 + 8 + 128 + 128 + 16 + 16 + 6 + 1;

/// The longest name of a rule, in bytes.
pub const NAME_MAX: usize = 63;

/// Checks the name of a rule: 1 to [`NAME_MAX`] bytes of `A-Z a-z 0-9 _ . : -`, the first not `.`.
///
/// # Errors
///
/// - [`Error::NameLength`].
/// - [`Error::NameCharacters`].
pub fn check_name(name: &[u8]) -> Result<(), Error> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Error::NameLength);
    }

    let is_fine = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(byte);
    if name.first() == Some(&b'.') || !name.iter().all(is_fine) {
        return Err(Error::NameCharacters);
    }
    Ok(())
}

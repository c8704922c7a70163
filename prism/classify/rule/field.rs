// SPDX-License-Identifier: GPL-2.0

//! The fields of a rule, by name.

use core::{
    ffi::CStr,
    fmt, //
};

use super::{
    Error,
    Rule, //
};

/// A field of a rule: a file in its directory that is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The VXLAN network.
    Vni,
    /// The protocol.
    Protocol,
    /// The source address.
    Source,
    /// The destination address.
    Destination,
    /// The source port.
    SourcePort,
    /// The destination port.
    DestinationPort,
    /// The Differentiated Services codepoint.
    Dscp,
    /// The class that the flows are served in.
    Class,
    /// Packets a second that may have that class.
    Rate,
    /// Whether TCP segments are merged.
    Gro,
}

impl Field {
    /// All fields, those that tell flows apart first.
    pub const ALL: [Self; 10] = [
        Self::Vni,
        Self::Protocol,
        Self::Source,
        Self::Destination,
        Self::SourcePort,
        Self::DestinationPort,
        Self::Dscp,
        Self::Class,
        Self::Rate,
        Self::Gro,
    ];

    /// The name of its file.
    pub const fn file(self) -> &'static CStr {
        match self {
            Self::Vni => c"vni",
            Self::Protocol => c"protocol",
            Self::Source => c"source",
            Self::Destination => c"destination",
            Self::SourcePort => c"source_port",
            Self::DestinationPort => c"destination_port",
            Self::Dscp => c"dscp",
            Self::Class => c"class",
            Self::Rate => c"rate",
            Self::Gro => c"gro",
        }
    }

    /// That name, as text.
    pub fn name(self) -> &'static str {
        self.file().to_str().unwrap_or_default()
    }

    /// Sets the field of `rule` to what `text` says.
    ///
    /// # Errors
    ///
    /// Why it is no value of that field; the rule is as before.
    pub fn set(self, rule: &mut Rule, text: &str) -> Result<(), Error> {
        match self {
            Self::Vni => rule.flows.vni = text.parse()?,
            Self::Protocol => rule.flows.protocol = text.parse()?,
            Self::Source => rule.flows.source = text.parse()?,
            Self::Destination => rule.flows.destination = text.parse()?,
            Self::SourcePort => rule.flows.source_port = text.parse()?,
            Self::DestinationPort => rule.flows.destination_port = text.parse()?,
            Self::Dscp => rule.flows.dscp = text.parse()?,
            Self::Class => rule.class = text.parse()?,
            Self::Rate => rule.rate = text.parse()?,
            Self::Gro => rule.gro = text.parse()?,
        }
        Ok(())
    }

    /// The field of `rule`, as it can be set again.
    pub const fn of(self, rule: &Rule) -> FieldOf<'_> {
        FieldOf { field: self, rule }
    }
}

/// A field of a certain rule, to be shown.
#[derive(Clone, Copy)]
pub struct FieldOf<'a> {
    field: Field,
    rule: &'a Rule,
}

impl fmt::Display for FieldOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.rule;

        match self.field {
            Field::Vni => rule.flows.vni.fmt(f),
            Field::Protocol => rule.flows.protocol.fmt(f),
            Field::Source => rule.flows.source.fmt(f),
            Field::Destination => rule.flows.destination.fmt(f),
            Field::SourcePort => rule.flows.source_port.fmt(f),
            Field::DestinationPort => rule.flows.destination_port.fmt(f),
            Field::Dscp => rule.flows.dscp.fmt(f),
            Field::Class => rule.class.fmt(f),
            Field::Rate => rule.rate.fmt(f),
            Field::Gro => rule.gro.fmt(f),
        }
    }
}

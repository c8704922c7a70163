// SPDX-License-Identifier: GPL-2.0

//! The fields of a rule.

use crate::{
    rule::{
        parse_bool,
        Error,
        Rule, //
    },
    text::{
        meant,
        Quoted, //
    },
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
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vni => "vni",
            Self::Protocol => "protocol",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::SourcePort => "source_port",
            Self::DestinationPort => "destination_port",
            Self::Dscp => "dscp",
            Self::Class => "class",
            Self::Rate => "rate",
            Self::Gro => "gro",
        }
    }

    /// The field of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Sets the field of `rule` to what `text` says.
    ///
    /// # Errors
    ///
    /// What the module would log; the rule is as before.
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

    /// The field of `rule`, as the module shows it.
    pub fn text(self, rule: &Rule) -> String {
        match self {
            Self::Vni => rule.flows.vni.to_string(),
            Self::Protocol => rule.flows.protocol.to_string(),
            Self::Source => rule.flows.source.to_string(),
            Self::Destination => rule.flows.destination.to_string(),
            Self::SourcePort => rule.flows.source_port.to_string(),
            Self::DestinationPort => rule.flows.destination_port.to_string(),
            Self::Dscp => rule.flows.dscp.to_string(),
            Self::Class => rule.class.to_string(),
            Self::Rate => rule.rate.to_string(),
            Self::Gro => rule.gro.to_string(),
        }
    }
}

/// Why a field, named by a user, is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is no such field.
    #[error("no field is called {0}")]
    NoField(String),
    /// `enabled` is something else.
    #[error("enabled: expected true or false")]
    Enabled,
    /// The field does not take that.
    #[error("{}: {why}", .field.name())]
    Value {
        /// The field.
        field: Field,
        /// What the module would log.
        why: Error,
    },
}

/// Sets a field of `rule`, or `enabled`, by its name.
///
/// # Errors
///
/// The rule is then as before.
pub fn set_named(rule: &mut Rule, name: &str, text: &str) -> Result<(), SetError> {
    if name == "enabled" {
        rule.enabled = parse_bool(text).map_err(|_| SetError::Enabled)?;
        return Ok(());
    }
    let Some(field) = Field::named(name) else {
        let known = Field::ALL
            .iter()
            .map(|field| field.name())
            .chain(["enabled"]);

        return Err(SetError::NoField(format!(
            "{}{}",
            Quoted(name),
            meant(name, known)
        )));
    };

    field
        .set(rule, text)
        .map_err(|why| SetError::Value { field, why })
}

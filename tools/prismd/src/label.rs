// SPDX-License-Identifier: GPL-2.0

//! Labels of containers: what is to become of their traffic.

use std::{
    collections::HashMap,
    fmt, //
};

use prism_config::{
    classify::Protocol,
    meant,
    rule::{
        Class,
        DscpMatch,
        PortMatch,
        Ports,
        Rate, //
    },
    Quoted,
};

/// The label that a container has whose traffic matters.
pub(crate) const CLASS: &str = "io.prism.class";
const PORTS: &str = "io.prism.ports";
const RATE: &str = "io.prism.rate";
const DSCP: &str = "io.prism.dscp";

/// How all of them begin.
pub(crate) const PREFIX: &str = "io.prism.";

/// The most ranges of ports that a container may name, each of which takes a rule for each address.
const RANGES_MAX: usize = 64;

/// What the labels of a container ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The class.
    pub(crate) class: Class,
    /// Which of the container's ports; `None` for all traffic to it.
    pub(crate) ports: Option<Vec<PortRange>>,
    /// The rate of each rule.
    pub(crate) rate: Rate,
    /// The Differentiated Services codepoint that packets must have.
    pub(crate) dscp: DscpMatch,
}

/// Ports of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortRange {
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// Its ports.
    pub(crate) ports: Ports,
}

impl PortRange {
    /// Whether a port is one of these.
    pub(crate) fn has(&self, protocol: Protocol, port: u16) -> bool {
        self.protocol == protocol && (self.ports.first()..=self.ports.last()).contains(&port)
    }
}

/// A label that cannot be made rules of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLabel {
    name: String,
    value: String,
    why: String,
}

impl BadLabel {
    fn new(name: &str, value: &str, why: impl fmt::Display) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for BadLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, why } = self;

        write!(f, "label {}={}: {why}", name.escape_debug(), Quoted(value))
    }
}

impl Asked {
    /// What labels ask for, if anything.
    ///
    /// # Errors
    ///
    /// The first label, by name, that is wrong.
    pub(crate) fn new(labels: &HashMap<String, String>) -> Result<Option<Self>, BadLabel> {
        let Some(class) = labels.get(CLASS) else {
            return Ok(None);
        };
        let mut unknown: Vec<_> = labels
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX) && !NAMES.contains(&name.as_str()))
            .collect();
        unknown.sort();
        if let Some((name, value)) = unknown.first() {
            let meant = meant(name, NAMES.into_iter());

            return Err(BadLabel::new(
                name,
                value,
                format_args!("no label is called that{meant}"),
            ));
        }

        Ok(Some(Self {
            class: class
                .parse()
                .map_err(|why| BadLabel::new(CLASS, class, why))?,
            ports: labels
                .get(PORTS)
                .map(|text| ports(text).map_err(|why| BadLabel::new(PORTS, text, why)))
                .transpose()?,
            rate: value(labels, RATE)?,
            dscp: value(labels, DSCP)?,
        }))
    }
}

const NAMES: [&str; 4] = [CLASS, PORTS, RATE, DSCP];

/// The value of a label; its default where there is none.
fn value<T>(labels: &HashMap<String, String>, name: &str) -> Result<T, BadLabel>
where
    T: std::str::FromStr<Err = prism_config::rule::Error> + Default,
{
    labels.get(name).map_or_else(
        || Ok(T::default()),
        |text| text.parse().map_err(|why| BadLabel::new(name, text, why)),
    )
}

/// Parses `6379/tcp,53/udp,8000-8100/tcp`. What overlaps or is adjacent is one range.
fn ports(text: &str) -> Result<Vec<PortRange>, String> {
    let mut ranges = text
        .split(',')
        .map(|word| range(word.trim()))
        .collect::<Result<Vec<_>, _>>()?;

    merge(&mut ranges);
    if ranges.len() > RANGES_MAX {
        return Err(format!("more than {RANGES_MAX} ranges of ports"));
    }
    Ok(ranges)
}

/// Parses `6379/tcp`.
fn range(text: &str) -> Result<PortRange, String> {
    let expected = || {
        format!(
            "{}: expected ports and their protocol, such as 6379/tcp or 8000-8100/udp",
            Quoted(text)
        )
    };
    let (ports, protocol) = text.split_once('/').ok_or_else(expected)?;

    let protocol = match protocol {
        "tcp" => Protocol::TCP,
        "udp" => Protocol::UDP,
        "sctp" => Protocol::SCTP,
        _ => return Err(expected()),
    };
    match ports.parse() {
        Ok(PortMatch::In(ports)) => Ok(PortRange { protocol, ports }),
        Ok(PortMatch::Any) => Err(expected()),
        Err(why) => Err(format!("{}: {why}", Quoted(text))),
    }
}

/// Makes one range of those that overlap or are adjacent, and sorts them.
pub(crate) fn merge(ranges: &mut Vec<PortRange>) {
    ranges.sort_by_key(|range| (range.protocol.0, range.ports.first(), range.ports.last()));
    ranges.dedup_by(|next, range| {
        let is_near = range.protocol == next.protocol
            && u32::from(next.ports.first()) <= u32::from(range.ports.last()) + 1;

        if is_near {
            let last = range.ports.last().max(next.ports.last());

            // From the first of one range to the last of one that is not before it.
            if let Ok(both) = Ports::new(range.ports.first(), last) {
                range.ports = both;
            }
        }
        is_near
    });
}

#[cfg(test)]
mod tests;

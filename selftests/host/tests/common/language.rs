// SPDX-License-Identifier: GPL-2.0

//! The text of rules, read a second time in another way, and lookups in a table of them.

use std::{
    fmt::{
        Debug,
        Display, //
    },
    net::{
        IpAddr,
        Ipv4Addr,
        Ipv6Addr, //
    },
    str::FromStr,
};

use prism_host::classify::{
    rule::{
        check_name,
        parse_bool,
        AddressMatch,
        Class,
        DscpMatch,
        Error,
        Gro,
        Match,
        PortMatch,
        ProtocolMatch,
        Rate,
        VniMatch, //
    },
    table::Error as TableError,
    Addresses,
    Flow,
    Protocol,
    Transport,
    Vni, //
};

use super::rules::{
    reference,
    table, //
};

/// More rules than that in an input teach nothing new.
const RULES_MAX: usize = 16;

/// How many flows to look up for each rule.
const FLOWS: usize = 6;

/// The text without what a file's value may have around it.
fn bare(text: &str) -> &str {
    let end = text.len() - usize::from(text.ends_with('\n'));

    text[..end].trim_matches(|character| character == ' ')
}

/// A number up to `max`, if `text` is how one would print it.
fn number(text: &str, max: u64) -> bool {
    matches!(text.parse::<u64>(), Ok(number) if number <= max && number.to_string() == text)
}

fn is_vni(text: &str) -> bool {
    ["any", "none"].contains(&text) || number(text, 0xff_ffff)
}

fn is_protocol(text: &str) -> bool {
    ["any", "tcp", "udp", "sctp", "icmp", "icmpv6"].contains(&text) || number(text, 255)
}

fn is_prefix(text: &str) -> bool {
    if text == "any" {
        return true;
    }
    let (address, length) = match text.find('/') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let v4 = Ipv4Addr::from_str(address).map(|address| (u128::from(address.to_bits()) << 96, 32));
    let v6 = Ipv6Addr::from_str(address).map(|address| (address.to_bits(), 128));
    let Ok((bits, width)) = v4.or(v6) else {
        return false;
    };

    match length {
        None => true,
        Some(length) if number(length, width) => match length.parse().unwrap() {
            128 => true,
            length => bits << length == 0u128,
        },
        Some(_) => false,
    }
}

fn is_ports(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().ok().filter(|_| number(text, 65_535));

    text == "any"
        || match text.split('-').collect::<Vec<_>>()[..] {
            [one] => port(one).is_some_and(|one| one > 0),
            [first, last] => matches!(
                (port(first), port(last)),
                (Some(first), Some(last)) if 0 < first && first <= last
            ),
            _ => false,
        }
}

fn is_dscp(text: &str) -> bool {
    let known = |class: u8, drop: u8| text == format!("af{class}{drop}");

    ["any", "ef", "va", "le"].contains(&text)
        || number(text, 63)
        || (0..8).any(|class| text == format!("cs{class}"))
        || (1..=4).any(|class| (1..=3).any(|drop| known(class, drop)))
}

fn is_name(text: &str) -> bool {
    let fine = |character: char| "_.:-".contains(character) || character.is_ascii_alphanumeric();

    (1..=63).contains(&text.len()) && !text.starts_with('.') && text.chars().all(fine)
}

/// The truth value that `text` stands for.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "y" | "yes" | "t" | "true" | "on" => Some(true),
        "0" | "n" | "no" | "f" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// Reads `text` as a value that is right if `is_right`, and holds it against that.
fn read<T>(text: &str, is_right: bool) -> Option<T>
where
    T: FromStr<Err = Error> + Display + Debug + PartialEq + Copy,
{
    let value = text.parse::<T>();

    assert_eq!(value.is_ok(), is_right, "{text:?}: {value:?}");
    // A file's value ends with a newline, and may have spaces around it.
    if !text.ends_with('\n') {
        assert_eq!(format!("  {text} \n").parse(), value, "{text:?}");
    }
    match value {
        Ok(value) => {
            let shown = value.to_string();
            assert_eq!(shown.parse(), Ok(value), "{text:?} is shown as {shown:?}");
            Some(value)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// Gives a field the value that `text` says, if it says one.
fn set<T>(field: &mut T, text: &str, is_right: fn(&str) -> bool)
where
    T: FromStr<Err = Error> + Display + Debug + PartialEq + Copy,
{
    if let Some(value) = read(text, is_right(bare(text))) {
        *field = value;
    }
}

fn field(rule: &mut Match, name: &str, text: &str) {
    let one_of = |words: &[&str]| words.contains(&bare(text));

    match name {
        "vni" => set(&mut rule.vni, text, is_vni),
        "protocol" => set(&mut rule.protocol, text, is_protocol),
        "source" => set(&mut rule.source, text, is_prefix),
        "destination" => set(&mut rule.destination, text, is_prefix),
        "source_port" => set(&mut rule.source_port, text, is_ports),
        "destination_port" => set(&mut rule.destination_port, text, is_ports),
        "dscp" => set(&mut rule.dscp, text, is_dscp),
        "class" => {
            let is_right = one_of(&["high", "interactive", "normal", "bulk"]);
            let _: Option<Class> = read(text, is_right);
        }
        "gro" => {
            let _: Option<Gro> = read(text, one_of(&["auto", "bypass", "keep"]));
        }
        "rate" => {
            let _: Option<Rate> = read(text, number(bare(text), 1_000_000_000));
        }
        "enabled" => assert_eq!(parse_bool(text).ok(), truth(bare(text)), "{text:?}"),
        "name" => assert_eq!(
            check_name(text.as_bytes()).is_ok(),
            is_name(text),
            "{text:?}"
        ),
        _ => {}
    }
}

/// Whether a rule may be enabled.
fn is_valid(rule: &Match) -> bool {
    let is_v6 = |field: AddressMatch| match field {
        AddressMatch::Any => None,
        AddressMatch::In(prefix) => Some(prefix.address().is_ipv6()),
    };
    let families: Vec<_> = [rule.source, rule.destination]
        .into_iter()
        .filter_map(is_v6)
        .collect();
    let ports = [rule.source_port, rule.destination_port];
    let has_ports = ports.iter().any(|ports| *ports != PortMatch::Any);
    let number = match rule.protocol {
        ProtocolMatch::Any => None,
        ProtocolMatch::Is(protocol) => Some(protocol.0),
    };

    *rule != Match::ANY
        && families.iter().all(|is_v6| *is_v6 == families[0])
        && !(number == Some(1) && families.contains(&true))
        && !(number == Some(58) && families.contains(&false))
        && (!has_ports || number.is_some_and(|number| [6, 17, 132].contains(&number)))
}

/// The rules in `text` that may be enabled.
pub fn rules_in(text: &str) -> Vec<Match> {
    let mut rules = Vec::new();

    for line in text.split('\n').take(RULES_MAX) {
        let mut rule = Match::ANY;

        for word in line.split('\t') {
            if let Some((name, value)) = word.split_once('=') {
                field(&mut rule, name, value);
            }
        }
        assert_eq!(rule.validate().is_ok(), is_valid(&rule), "{rule:?}");
        if is_valid(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// Numbers that follow from an input.
struct Choice(u64);

impl Choice {
    fn of(text: &str) -> Self {
        Self(text.bytes().fold(1, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// An address of a family that a rule may match: the first or the last of its prefix, or beside it.
    fn address(&mut self, field: AddressMatch, v6: bool) -> u128 {
        let width = if v6 { 128 } else { 32 };
        let (bits, length) = match field {
            AddressMatch::In(prefix) => match prefix.address() {
                IpAddr::V4(address) if !v6 => (address.to_bits().into(), prefix.length()),
                IpAddr::V6(address) if v6 => (address.to_bits(), prefix.length()),
                _ => (0, 0),
            },
            AddressMatch::Any => (0, 0),
        };
        let behind = u32::from(width - length);
        let last = !u128::MAX.checked_shl(behind).unwrap_or(0);

        match self.below(4) {
            0 => bits | last,
            1 => bits ^ 1u128.checked_shl(behind).unwrap_or(0),
            2 => bits | (self.below(1 << 16) as u128 & last),
            _ => bits,
        }
    }

    fn port(&mut self, field: PortMatch) -> u16 {
        let (first, last) = match field {
            PortMatch::In(ports) => (ports.first(), ports.last()),
            PortMatch::Any => (1, 65_535),
        };

        // Packets with port zero are not classified.
        self.one(&[first, last, (first - 1).max(1), last.saturating_add(1)])
    }

    /// A flow that has something of several of `rules`.
    fn flow(&mut self, rules: &[Match]) -> Flow {
        let of = |choice: &mut Self| choice.one(rules);
        let one = of(self);
        let other = if self.below(2) == 0 { one } else { of(self) };
        let vni = match one.vni {
            VniMatch::Is(vni) if self.below(4) > 0 => Some(vni),
            VniMatch::None => None,
            _ => Vni::new(self.below(3) as u32).filter(|_| self.below(2) == 0),
        };
        let protocol = match other.protocol {
            ProtocolMatch::Is(protocol) => protocol,
            ProtocolMatch::Any => self.one(&[Protocol::TCP, Protocol::UDP, Protocol::ICMP]),
        };
        let v6 = match one.destination.family().or(one.source.family()) {
            Some(family) => family == prism_host::classify::Family::V6,
            None => self.below(2) == 0,
        };
        let (source, destination) = (
            self.address(one.source, v6),
            self.address(other.destination, v6),
        );
        let addresses = match v6 {
            true => Addresses::V6 {
                source: source.into(),
                destination: destination.into(),
            },
            false => Addresses::V4 {
                source: (source as u32).into(),
                destination: (destination as u32).into(),
            },
        };
        let has_ports = protocol.has_ports();
        let transport = Transport {
            protocol,
            source_port: if has_ports {
                self.port(other.source_port)
            } else {
                0
            },
            destination_port: if has_ports {
                self.port(one.destination_port)
            } else {
                0
            },
        };
        let dscp = match one.dscp {
            DscpMatch::Is(dscp) if self.below(4) > 0 => dscp.get(),
            _ => self.below(64) as u8,
        };

        Flow::new(vni, addresses, transport, dscp)
    }
}

/// Reads the rules in `text`, and looks flows up among them, also after some were withdrawn. Panics
/// where two ways differ.
pub fn check(text: &str) {
    let rules = rules_in(text);
    let mut choice = Choice::of(text);
    let table = match table(&rules, choice.0) {
        Ok(table) => table,
        // That takes too much memory.
        Err(TableError::TooManyShapes) => return,
        Err(why) => panic!("{why} in {text:?}"),
    };
    if rules.is_empty() {
        assert!(table.is_empty());
        return;
    }

    let withdrawn: Vec<_> = rules.iter().map(|_| choice.below(3) == 0).collect();
    let live: Vec<_> = (0..rules.len()).filter(|at| !withdrawn[*at]).collect();
    let live_rules: Vec<_> = live.iter().map(|at| rules[*at]).collect();
    for _ in 0..FLOWS * rules.len() {
        let flow = choice.flow(&rules);

        assert_eq!(
            table.lookup(&flow),
            reference(&rules, &flow),
            "{flow:?} in {text:?}"
        );
        let found = table.lookup_among(&flow, |at| !withdrawn[at]);
        assert_eq!(
            found.map(|hit| hit.rule),
            reference(&live_rules, &flow).map(|at| live[at]),
            "{flow:?} in {text:?} without {withdrawn:?}"
        );
    }
}

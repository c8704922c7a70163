// SPDX-License-Identifier: GPL-2.0

//! Rules and tables for tests, and what a table should find.

use std::net::IpAddr;

use prism_host::classify::{
    rule::{
        AddressMatch,
        DscpMatch,
        Match,
        PortMatch,
        ProtocolMatch,
        VniMatch, //
    },
    table::{
        Entry,
        Error,
        Group,
        Plan,
        Slot, //
    },
    Flow,
    Table, //
};

pub type HostTable = Table<Vec<Group>, Vec<Slot>, Vec<Entry>>;

/// The table of `rules`, in exactly the memory that it plans.
pub fn table(rules: &[Match], seed: u64) -> Result<HostTable, Error> {
    let plan = Plan::of(rules.iter())?;

    Table::build(
        rules.iter(),
        seed,
        vec![Group::UNUSED; plan.groups()],
        vec![Slot::EMPTY; plan.slots()],
        vec![Entry::UNUSED; plan.entries()],
    )
}

/// The fields of a rule from `name=value` words.
pub fn fields(text: &str) -> Match {
    let mut fields = Match::ANY;

    for word in text.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        match name {
            "vni" => fields.vni = value.parse().unwrap(),
            "protocol" => fields.protocol = value.parse().unwrap(),
            "source" => fields.source = value.parse().unwrap(),
            "destination" => fields.destination = value.parse().unwrap(),
            "source_port" => fields.source_port = value.parse().unwrap(),
            "destination_port" => fields.destination_port = value.parse().unwrap(),
            "dscp" => fields.dscp = value.parse().unwrap(),
            _ => panic!("{name}"),
        }
    }
    fields
}

/// The bits of an address, and how many there are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// Whether an address matches, and how specific the match is.
fn address(field: AddressMatch, address: IpAddr) -> Option<u32> {
    let AddressMatch::In(prefix) = field else {
        return Some(0);
    };
    let (wanted, wanted_bits) = bits(prefix.address());
    let (actual, actual_bits) = bits(address);
    let length = u32::from(prefix.length());
    let behind = wanted_bits - length;
    let is_same = |shift| wanted.checked_shr(shift) == actual.checked_shr(shift);

    (wanted_bits == actual_bits && is_same(behind)).then_some(length)
}

fn port(field: PortMatch, port: u16) -> Option<u32> {
    let PortMatch::In(ports) = field else {
        return Some(0);
    };
    let count = u32::from(ports.last()) - u32::from(ports.first()) + 1;
    let is_inside = (ports.first()..=ports.last()).contains(&port);

    is_inside.then_some((0..=16).filter(|bits| 65_536 >> bits >= count).count() as u32 - 1)
}

fn exact<T: PartialEq>(wanted: Option<T>, actual: T, bits: u32) -> Option<u32> {
    match wanted {
        None => Some(0),
        Some(wanted) => (wanted == actual).then_some(bits),
    }
}

/// How specifically a rule names a flow, if it does.
fn specificity(rule: &Match, flow: &Flow) -> Option<u32> {
    let vni = match rule.vni {
        VniMatch::Any => None,
        VniMatch::None => Some(None),
        VniMatch::Is(vni) => Some(Some(vni)),
    };
    let protocol = match rule.protocol {
        ProtocolMatch::Any => None,
        ProtocolMatch::Is(protocol) => Some(protocol),
    };
    let dscp = match rule.dscp {
        DscpMatch::Any => None,
        DscpMatch::Is(dscp) => Some(dscp.get()),
    };
    let transport = flow.transport();
    let has_prefix = [rule.source, rule.destination]
        .iter()
        .any(|field| *field != AddressMatch::Any);

    Some(
        exact(vni, flow.vni(), 24)?
            + exact(protocol, transport.protocol, 8)?
            + exact(dscp, flow.dscp(), 6)?
            + address(rule.source, flow.source())?
            + address(rule.destination, flow.destination())?
            + port(rule.source_port, transport.source_port)?
            + port(rule.destination_port, transport.destination_port)?
            + u32::from(has_prefix),
    )
}

/// The rule that names a flow, found by looking at each: the most specific one, the first of several.
pub fn reference(rules: &[Match], flow: &Flow) -> Option<usize> {
    let mut best = None;

    for (index, rule) in rules.iter().enumerate() {
        if let Some(specificity) = specificity(rule, flow) {
            assert_eq!(specificity, rule.specificity());
            if best.is_none_or(|(most, _)| specificity > most) {
                best = Some((specificity, index));
            }
        }
    }
    best.map(|(_, index)| index)
}

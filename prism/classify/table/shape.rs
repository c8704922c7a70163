// SPDX-License-Identifier: GPL-2.0

//! From a rule to the masks and values that stand for it.

use core::net::IpAddr;

use super::super::{
    flow::{
        Family,
        Words, //
    },
    rule::{
        mask_v4,
        mask_v6,
        AddressMatch,
        DscpMatch,
        Match,
        PortMatch,
        ProtocolMatch,
        VniMatch, //
    },
};

/// The bits of a flow that are looked at, and what they must be.
#[derive(Clone, Copy)]
pub(super) struct Pattern {
    pub(super) mask: Words,
    pub(super) value: Words,
}

/// The patterns that together name the flows of `rule`.
pub(super) fn patterns(rule: &Match) -> impl Iterator<Item = Pattern> {
    let rest = without_ports(rule);
    let destinations = Blocks::of(rule.destination_port);

    Blocks::of(rule.source_port).flat_map(move |source| {
        destinations.clone().map(move |destination| Pattern {
            mask: rest.mask.ports(source.mask, destination.mask),
            value: rest.value.ports(source.value, destination.value),
        })
    })
}

/// The number of [`patterns`] of `rule`.
pub(super) fn count(rule: &Match) -> usize {
    let count = |blocks: Blocks| blocks.fold(0, |count: usize, _| count.saturating_add(1));
    let sources = count(Blocks::of(rule.source_port));
    let destinations = count(Blocks::of(rule.destination_port));

    sources.saturating_mul(destinations)
}

fn without_ports(rule: &Match) -> Pattern {
    let mut mask = Words::ZERO;
    let mut value = Words::ZERO;

    match rule.vni {
        VniMatch::Any => {}
        VniMatch::None => mask = mask.vni_mask(),
        VniMatch::Is(vni) => {
            mask = mask.vni_mask();
            value = value.vni(vni.get());
        }
    }
    if let ProtocolMatch::Is(protocol) = rule.protocol {
        mask = mask.protocol(u8::MAX);
        value = value.protocol(protocol.0);
    }
    if let DscpMatch::Is(dscp) = rule.dscp {
        mask = mask.dscp(u8::MAX);
        value = value.dscp(dscp.get());
    }
    addresses(rule, Pattern { mask, value })
}

/// Adds the addresses of `rule`, which are of one family, to `pattern`.
fn addresses(rule: &Match, pattern: Pattern) -> Pattern {
    let Pattern { mask, value } = pattern;

    match rule.source.family().or(rule.destination.family()) {
        None => pattern,
        Some(Family::V4) => {
            let (source_mask, source) = v4(rule.source);
            let (destination_mask, destination) = v4(rule.destination);
            Pattern {
                mask: mask.family_mask().v4(source_mask, destination_mask),
                value: value.v4(source, destination),
            }
        }
        Some(Family::V6) => {
            let (source_mask, source) = v6(rule.source);
            let (destination_mask, destination) = v6(rule.destination);
            Pattern {
                mask: mask.family_mask().v6(source_mask, destination_mask),
                value: value.family(Family::V6).v6(source, destination),
            }
        }
    }
}

/// The mask and the value of an IPv4 prefix: zeros for `any`.
fn v4(address: AddressMatch) -> (u32, u32) {
    match address {
        AddressMatch::In(prefix) => match prefix.address() {
            IpAddr::V4(address) => (mask_v4(prefix.length()), address.to_bits()),
            IpAddr::V6(_) => (0, 0),
        },
        AddressMatch::Any => (0, 0),
    }
}

/// The mask and the value of an IPv6 prefix: zeros for `any`.
fn v6(address: AddressMatch) -> (u128, u128) {
    match address {
        AddressMatch::In(prefix) => match prefix.address() {
            IpAddr::V6(address) => (mask_v6(prefix.length()), address.to_bits()),
            IpAddr::V4(_) => (0, 0),
        },
        AddressMatch::Any => (0, 0),
    }
}

/// Ports whose upper bits are the same and whose lower bits are anything.
#[derive(Clone, Copy)]
struct Block {
    mask: u16,
    value: u16,
}

/// The blocks that a range of ports consists of, the fewest there are: at most 30.
#[derive(Clone)]
struct Blocks {
    /// The first port that is not yet in a block.
    first: u32,
    /// The last port.
    last: u32,
}

impl Blocks {
    fn of(ports: PortMatch) -> Self {
        match ports {
            PortMatch::Any => Self {
                first: 0,
                last: u16::MAX.into(),
            },
            PortMatch::In(ports) => Self {
                // No flow of a protocol with ports has port 0, so a range from 1 may start there,
                // which takes fewer blocks.
                first: match ports.first() {
                    1 if ports.last() != 1 => 0,
                    first => first.into(),
                },
                last: ports.last().into(),
            },
        }
    }
}

impl Iterator for Blocks {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let size = self.last.checked_add(1)?.checked_sub(self.first)?;
        // No greater than what is left, and no greater than the first port is aligned to.
        let bits = size.checked_ilog2()?.min(self.first.trailing_zeros());
        let size = 1u32.checked_shl(bits)?;
        let block = Block {
            mask: size.wrapping_neg() as u16,
            value: self.first as u16,
        };

        self.first = self.first.checked_add(size)?;
        Some(block)
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Rules and flows for property tests, of few values, so that they often meet.

use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

use prism_host::classify::{
    rule::{
        AddressMatch,
        Match,
        PortMatch,
        Ports,
        Prefix,
        ProtocolMatch,
        VniMatch, //
    },
    Addresses,
    Flow,
    Protocol,
    Transport,
    Vni, //
};
use proptest::prelude::*;

fn vni() -> impl Strategy<Value = VniMatch> {
    prop_oneof![
        3 => Just(VniMatch::Any),
        1 => Just(VniMatch::None),
        3 => (0u32..3).prop_map(|vni| VniMatch::Is(Vni::new(vni).unwrap())),
    ]
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(vec![
        Protocol::TCP,
        Protocol::UDP,
        Protocol::SCTP,
        Protocol(47),
    ])
}

/// Addresses with three bits set at most.
fn v4() -> impl Strategy<Value = u32> {
    (0u32..32, 0u32..32, 0u32..4).prop_map(|(one, other, low)| (1 << one) ^ (1 << other) ^ low)
}

fn v6() -> impl Strategy<Value = u128> {
    (0u32..128, 0u32..128, 0u128..4).prop_map(|(one, other, low)| (1 << one) ^ (1 << other) ^ low)
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![1u16..12, 1020u16..1030, 65_530u16..]
}

fn length(bits: u32) -> impl Strategy<Value = u32> {
    prop_oneof![0..=bits, Just(0), Just(bits), Just(bits / 2)]
}

fn in_v4() -> impl Strategy<Value = AddressMatch> {
    (v4(), length(32)).prop_map(|(address, length)| {
        let address = address & !u32::MAX.checked_shr(length).unwrap_or(0);
        let address = Ipv4Addr::from(address);
        AddressMatch::In(Prefix::new(address.into(), length as u8).unwrap())
    })
}

fn in_v6() -> impl Strategy<Value = AddressMatch> {
    (v6(), length(128)).prop_map(|(address, length)| {
        let address = address & !u128::MAX.checked_shr(length).unwrap_or(0);
        let address = Ipv6Addr::from(address);
        AddressMatch::In(Prefix::new(address.into(), length as u8).unwrap())
    })
}

fn or_any(
    field: impl Strategy<Value = AddressMatch> + 'static,
) -> impl Strategy<Value = AddressMatch> {
    prop_oneof![Just(AddressMatch::Any), field]
}

fn addresses() -> impl Strategy<Value = (AddressMatch, AddressMatch)> {
    prop_oneof![
        (or_any(in_v4()), or_any(in_v4())),
        (or_any(in_v6()), or_any(in_v6())),
    ]
}

fn ports() -> impl Strategy<Value = PortMatch> {
    prop_oneof![
        2 => Just(PortMatch::Any),
        1 => port().prop_map(|port| PortMatch::In(Ports::new(port, port).unwrap())),
        1 => (port(), port()).prop_map(|(one, other)| {
            PortMatch::In(Ports::new(one.min(other), one.max(other)).unwrap())
        }),
    ]
}

pub fn rule() -> impl Strategy<Value = Match> {
    let protocol = prop_oneof![
        Just(ProtocolMatch::Any),
        protocol().prop_map(ProtocolMatch::Is),
    ];
    let dscp = prop::sample::select(vec!["any", "any", "0", "46"]);

    (vni(), protocol, addresses(), ports(), ports(), dscp)
        .prop_map(
            |(vni, protocol, (source, destination), source_port, destination_port, dscp)| Match {
                vni,
                protocol,
                source,
                destination,
                source_port,
                destination_port,
                dscp: dscp.parse().unwrap(),
            },
        )
        .prop_filter("valid", |rule| rule.validate().is_ok())
}

pub fn flow() -> impl Strategy<Value = Flow> {
    let vni = prop::option::of(0u32..3);
    let addresses = prop_oneof![
        (v4(), v4()).prop_map(|(source, destination)| Addresses::V4 {
            source: source.into(),
            destination: destination.into(),
        }),
        (v6(), v6()).prop_map(|(source, destination)| Addresses::V6 {
            source: source.into(),
            destination: destination.into(),
        }),
    ];
    let dscp = prop::sample::select(vec![0, 46, 63]);

    (vni, addresses, protocol(), port(), port(), dscp).prop_map(
        |(vni, addresses, protocol, source_port, destination_port, dscp)| {
            let has_ports = protocol.has_ports();
            let transport = Transport {
                protocol,
                source_port: if has_ports { source_port } else { 0 },
                destination_port: if has_ports { destination_port } else { 0 },
            };
            Flow::new(vni.and_then(Vni::new), addresses, transport, dscp)
        },
    )
}

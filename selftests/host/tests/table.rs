// SPDX-License-Identifier: GPL-2.0

//! The lookup table: against a search through all rules, and what a lookup costs.

mod common;

use common::{
    cases,
    few,
    rules::{
        fields,
        reference,
        table,
        HostTable, //
    }, //
};
use prism_host::classify::{
    rule::{
        self,
        Match,
        VniMatch, //
    },
    table::{
        Entry,
        Error,
        Group,
        Hit,
        Plan,
        Slot,
        ENTRIES_MAX,
        SHAPES_MAX, //
    },
    Addresses,
    Flow,
    Protocol,
    Table,
    Transport,
    Vni, //
};
use proptest::prelude::*;

/// A UDP flow over IPv4, in a tunnel if there is a VNI.
fn flow(vni: Option<u32>, source: [u8; 4], destination: [u8; 4], ports: (u16, u16)) -> Flow {
    Flow::new(
        vni.and_then(Vni::new),
        Addresses::V4 {
            source: source.into(),
            destination: destination.into(),
        },
        Transport {
            protocol: Protocol::UDP,
            source_port: ports.0,
            destination_port: ports.1,
        },
        0,
    )
}

fn found(rules: &[&str], flow: &Flow) -> Option<usize> {
    let rules: Vec<_> = rules.iter().map(|text| fields(text)).collect();
    let found = table(&rules, 1).unwrap().lookup(flow);

    assert_eq!(found, reference(&rules, flow));
    found
}

#[test]
fn no_rules() {
    let plan = Plan::of([].iter()).unwrap();
    let table = table(&[], 1).unwrap();

    assert_eq!((plan.groups(), plan.entries()), (0, 0));
    assert!(table.is_empty());
    assert_eq!(table.lookup(&flow(None, [1; 4], [2; 4], (1, 2))), None);
}

#[test]
fn more_memory_than_needed() {
    let build = |rules: &[Match]| {
        Table::build(
            rules.iter(),
            1,
            vec![Group::UNUSED; 9],
            vec![Slot::EMPTY; 99],
            vec![Entry::UNUSED; 9],
        )
        .unwrap()
    };
    let flow = flow(Some(7), [1; 4], [2; 4], (1, 2));

    assert!(build(&[]).is_empty());
    assert_eq!(build(&[]).lookup(&flow), None);
    assert!(!build(&[fields("vni=7")]).is_empty());
    assert_eq!(build(&[fields("vni=7")]).lookup(&flow), Some(0));
}

#[test]
fn vni_any_none_and_number() {
    let rules = ["vni=none", "vni=5", "vni=0", "protocol=udp"];
    let in_tunnel = |vni| found(&rules, &flow(vni, [1; 4], [2; 4], (1, 2)));

    assert_eq!(in_tunnel(None), Some(0));
    assert_eq!(in_tunnel(Some(5)), Some(1));
    assert_eq!(in_tunnel(Some(0)), Some(2));
    assert_eq!(in_tunnel(Some(6)), Some(3));
}

#[test]
fn the_most_specific_rule_counts() {
    let rules = [
        "destination=10.0.0.0/8",
        "destination=10.1.0.0/16",
        "destination=10.1.2.3/32",
        "destination=0.0.0.0/0",
    ];
    let to = |destination| found(&rules, &flow(None, [1; 4], destination, (1, 2)));

    assert_eq!(to([10, 1, 2, 3]), Some(2));
    assert_eq!(to([10, 1, 2, 4]), Some(1));
    assert_eq!(to([10, 2, 2, 4]), Some(0));
    assert_eq!(to([11, 2, 2, 4]), Some(3));
}

#[test]
fn the_first_of_equals_counts() {
    let any = flow(Some(1), [10; 4], [10; 4], (53, 53));

    for rules in [
        ["protocol=udp source_port=53", "vni=1"],
        ["vni=1", "protocol=udp source_port=53"],
        ["vni=1", "vni=1"],
        ["source=10.0.0.0/8", "destination=10.0.0.0/8"],
    ] {
        assert_eq!(found(&rules, &any), Some(0), "{rules:?}");
    }
}

/// A range and a single port have an entry in common, which is that of the more specific rule.
#[test]
fn entries_in_common() {
    let to_90 = flow(None, [1; 4], [2; 4], (1, 90));
    let range = "protocol=udp destination_port=80-90";
    let port = "protocol=udp destination_port=90";
    // Keeps the group from being uniform.
    let other = "protocol=udp destination_port=91";

    assert_eq!(found(&[range, port, other], &to_90), Some(1));
    assert_eq!(found(&[port, range, other], &to_90), Some(0));
    assert_eq!(found(&[range, range, other], &to_90), Some(0));
    assert_eq!(found(&[range, range], &to_90), Some(0));
}

/// An entry of a range is found in another group than the range's best entry.
#[test]
fn a_range_is_as_specific_everywhere() {
    let rules = [
        "protocol=udp destination_port=1000-1999",
        "protocol=udp destination_port=1500-1503",
    ];

    for port in 1..=2500 {
        found(&rules, &flow(None, [1; 4], [2; 4], (1, port)));
    }
}

#[test]
fn ranges_at_their_ends() {
    for (first, last) in [
        (1, 1),
        (1, 2),
        (1, 1023),
        (1, 65_534),
        (1, 65_535),
        (2, 65_535),
        (1023, 1025),
        (32_767, 32_768),
        (65_535, 65_535),
    ] {
        let rule = format!("protocol=udp source_port={first}-{last}");
        let rules = [fields(&rule)];
        let table = table(&rules, 1).unwrap();

        for port in 1..=u16::MAX {
            let flow = flow(None, [1; 4], [2; 4], (port, 1));
            let is_inside = (first..=last).contains(&port);
            assert_eq!(table.lookup(&flow).is_some(), is_inside, "{rule} {port}");
        }
    }
}

#[test]
fn entries_of_a_range() {
    for (ports, entries) in [
        ("80", 1),
        ("80-81", 1),
        ("81-82", 2),
        ("1-1023", 1),
        ("1-65535", 1),
        ("2-65535", 15),
        ("1-65534", 16),
        ("2-65534", 29),
        ("32767-32768", 2),
    ] {
        let rules = [fields(&format!("protocol=tcp source_port={ports}"))];
        assert_eq!(
            Plan::of(rules.iter()).unwrap().entries(),
            entries,
            "{ports}"
        );
    }
}

/// An IPv4 prefix does not match the IPv6 address with the same bits, nor the other way round.
#[test]
fn families_are_apart() {
    let v4 = flow(None, [0; 4], [0; 4], (1, 2));
    let v6 = Flow::new(
        None,
        Addresses::V6 {
            source: 0.into(),
            destination: 0.into(),
        },
        v4.transport(),
        0,
    );

    assert_eq!(found(&["source=0.0.0.0/0"], &v4), Some(0));
    assert_eq!(found(&["source=0.0.0.0/0"], &v6), None);
    assert_eq!(found(&["destination=::/0"], &v4), None);
    assert_eq!(found(&["destination=::/0"], &v6), Some(0));
    assert_eq!(found(&["source=::", "source=0.0.0.0"], &v4), Some(1));
}

#[test]
fn rules_that_are_not_valid() {
    let build = |text| table(&[fields("vni=1"), fields(text)], 1).err();

    assert_eq!(build(""), Some(Error::Rule(rule::Error::NoMatch)));
    assert_eq!(
        build("source_port=1"),
        Some(Error::Rule(rule::Error::PortsWithoutProtocol))
    );
}

#[test]
fn memory_that_is_too_short() {
    let rules = [fields("vni=1"), fields("vni=2 protocol=udp")];
    let plan = Plan::of(rules.iter()).unwrap();
    let build = |groups, slots, entries| {
        Table::build(
            rules.iter(),
            1,
            vec![Group::UNUSED; groups],
            vec![Slot::EMPTY; slots],
            vec![Entry::UNUSED; entries],
        )
        .err()
    };
    let (groups, slots, entries) = (plan.groups(), plan.slots(), plan.entries());

    assert_eq!(build(groups, slots, entries), None);
    assert_eq!(build(groups + 9, slots + 9, entries + 9), None);
    assert_eq!(build(groups - 1, slots, entries), Some(Error::Memory));
    assert_eq!(build(groups, slots - 1, entries), Some(Error::Memory));
    assert_eq!(build(groups, slots, entries - 1), Some(Error::Memory));
}

#[test]
fn as_many_entries_as_there_may_be() {
    let rule = |vni: usize| Match {
        vni: VniMatch::Is(Vni::new(vni as u32).unwrap()),
        ..Match::ANY
    };
    let rules: Vec<_> = (0..=ENTRIES_MAX).map(rule).collect();
    let table = table(&rules[..ENTRIES_MAX], 7).unwrap();

    for vni in [0, 1, ENTRIES_MAX - 1] {
        let flow = flow(Some(vni as u32), [1; 4], [2; 4], (1, 2));
        assert_eq!(table.lookup(&flow), Some(vni));
    }
    assert_eq!(Plan::of(rules.iter()), Err(Error::TooLarge));
}

#[test]
fn ranges_count_by_their_entries() {
    let range = fields("protocol=tcp source_port=2-65534 destination_port=2-65534");
    let rules = [range; 78];

    assert!(Plan::of(rules[..77].iter()).is_ok());
    assert_eq!(Plan::of(rules.iter()), Err(Error::TooLarge));
}

#[test]
fn as_many_shapes_as_there_may_be() {
    let rules: Vec<_> = (0..=SHAPES_MAX as u32)
        .map(|index| {
            let [source, destination] = [index % 33, index / 33];
            fields(&format!(
                "source=0.0.0.0/{source} destination=0.0.0.0/{destination}"
            ))
        })
        .collect();

    assert!(table(&rules[..SHAPES_MAX], 1).is_ok());
    assert_eq!(table(&rules, 1).err(), Some(Error::TooManyShapes));
}

/// Rules as an operator has them: `count` of each of four shapes.
fn many(count: u32) -> Vec<Match> {
    let rules = |index: u32| {
        let [_, a, b, c] = index.to_be_bytes();
        [
            format!(
                "vni={} protocol=udp destination=10.{a}.{b}.{c} destination_port=11211",
                index % 100
            ),
            format!(
                "vni={} protocol=tcp destination_port={}",
                index % 100,
                1 + index
            ),
            format!("vni={} source=172.{a}.{b}.0/24", 1000 + index),
            format!("protocol=udp source=fd00::{index:x} source_port=53"),
        ]
    };
    (0..count)
        .flat_map(rules)
        .map(|text| fields(&text))
        .collect()
}

/// The highest cost of lookups that find something and of lookups that do not.
fn highest_cost(table: &HostTable, count: u32) -> (usize, usize) {
    let mut groups = 0;
    let mut probes = 0;

    for index in 0..count {
        let [_, a, b, c] = index.to_be_bytes();
        for (vni, destination, ports) in [
            (index % 100, [10, a, b, c], (7, 11_211)),
            (index % 100, [10, a, b, c], (7, 11_212)),
            (1000 + index, [10, 200, b, c], (7, 11_211)),
        ] {
            let flow = flow(Some(vni), [172, a, b, 9], destination, ports);
            let (_, cost) = table.lookup_with_cost(&flow);
            groups = groups.max(cost.groups);
            probes = probes.max(cost.probes);
        }
    }
    (groups, probes)
}

#[test]
fn cost_does_not_grow_with_rules_of_a_shape() {
    for count in [1, 64, 1024, 4096] {
        let rules = many(count);
        let table = table(&rules, 0x1234_5678).unwrap();
        let (groups, probes) = highest_cost(&table, count);

        assert!(groups <= 4, "{} rules: {groups} groups", rules.len());
        assert!(probes <= 24, "{} rules: {probes} probes", rules.len());
    }
}

#[test]
fn average_cost_stays_low() {
    let rules = many(4096);
    let table = table(&rules, 99).unwrap();
    let mut probes = 0;

    for index in 0..4096u32 {
        let [_, a, b, c] = index.to_be_bytes();
        let flow = flow(
            Some(index % 100),
            [172, a, b, 9],
            [10, a, b, c],
            (7, 11_211),
        );
        let (rule, cost) = table.lookup_with_cost(&flow);
        assert_eq!(rule, Some(4 * index as usize));
        probes += cost.probes;
    }
    assert!(probes >= 4096);
    assert!(probes < 4096 * 3, "{probes} probes in 4096 lookups");
}

/// A group is searched only where its entries differ, and the flow has what they agree in.
#[test]
fn groups_are_passed_over() {
    let rules = [
        "vni=1 protocol=udp destination_port=53",
        "vni=1 protocol=udp destination_port=54",
        "vni=2 destination=10.1.0.0/24",
        "vni=2 destination=10.1.1.0/24",
        "source=10.9.0.1",
    ];
    let rules: Vec<_> = rules.iter().map(|text| fields(text)).collect();
    let table = table(&rules, 1).unwrap();
    let searches = |vni, source, destination| {
        let flow = flow(Some(vni), source, destination, (1, 53));
        let (_, cost) = table.lookup_with_cost(&flow);
        (cost.groups, cost.searches)
    };

    assert_eq!(searches(3, [1; 4], [2; 4]), (3, 0));
    assert_eq!(searches(3, [10, 9, 0, 1], [2; 4]), (3, 0));
    assert_eq!(searches(2, [1; 4], [10, 2, 0, 1]), (3, 0));
    assert_eq!(searches(2, [1; 4], [10, 1, 0, 1]), (1, 1));
    assert_eq!(searches(1, [1; 4], [10, 1, 0, 1]), (2, 1));
}

/// No seed makes a table that finds something else.
#[test]
fn seeds_do_not_matter() {
    let rules = many(16);

    for seed in [0, 1, u64::MAX, 0x8000_0000_0000_0000] {
        let table = table(&rules, seed).unwrap();
        for index in 0..16u32 {
            let flow = flow(Some(index), [9; 4], [10, 0, 0, index as u8], (7, 11_211));
            assert_eq!(table.lookup(&flow), Some(4 * index as usize));
        }
    }
}

/// Keys that differ in few bits, chosen so that weak hashes put them into one run.
#[test]
fn runs_stay_short_for_regular_keys() {
    let keys: [fn(u32) -> String; 4] = [
        |index| format!("destination={:x}::{:x}", 0x100 + (index >> 8), index & 0xff),
        |index| format!("source={:x}00::{:x}00:0", 0x10 + (index >> 8), index & 0xff),
        |index| {
            format!(
                "source={}.0.0.0/8 destination={}.0.0.0/8",
                index >> 8,
                index & 0xff
            )
        },
        |index| format!("vni={} protocol={}", index & 0xfff, index >> 12),
    ];

    for key in keys {
        let rules: Vec<_> = (0..16_384).map(|index| fields(&key(index))).collect();
        for seed in 0..4 {
            assert!(table(&rules, seed).is_ok(), "{}", key(1));
        }
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn table_finds_what_the_reference_finds(
        rules in prop::collection::vec(few::rule(), 0..24),
        flows in prop::collection::vec(few::flow(), 64),
        seed: u64,
    ) {
        match table(&rules, seed) {
            Ok(table) => {
                for flow in &flows {
                    prop_assert_eq!(table.lookup(flow), reference(&rules, flow), "{:?}", flow);
                }
            }
            Err(error) => prop_assert_eq!(error, Error::TooManyShapes),
        }
    }

    #[test]
    fn rules_that_do_not_count_hide_nothing(
        rules in prop::collection::vec((few::rule(), any::<bool>()), 0..24),
        likes in 1usize..4,
        flows in prop::collection::vec(few::flow(), 64),
        seed: u64,
    ) {
        let rules = rules.repeat(likes);
        let all: Vec<_> = rules.iter().map(|(rule, _)| *rule).collect();
        let counts = |index: usize| rules[index].1;
        let some: Vec<_> = (0..rules.len()).filter(|index| counts(*index)).collect();
        let among: Vec<_> = some.iter().map(|index| all[*index]).collect();

        match table(&all, seed) {
            Ok(table) => {
                for flow in &flows {
                    let expected = reference(&among, flow).map(|index| Hit {
                        specificity: among[index].specificity(),
                        rule: some[index],
                    });
                    prop_assert_eq!(table.lookup_among(flow, counts), expected, "{:?}", flow);
                }
            }
            Err(error) => prop_assert_eq!(error, Error::TooManyShapes),
        }
    }

    #[test]
    fn flows_keep_their_fields(vni in prop::option::of(0..=Vni::MAX), source: u128,
        destination: u128, protocol: u8, ports: (u16, u16), dscp in 0u8..64, is_v6: bool) {
        let vni = vni.and_then(Vni::new);
        let transport = Transport {
            protocol: Protocol(protocol),
            source_port: ports.0,
            destination_port: ports.1,
        };
        let addresses = if is_v6 {
            Addresses::V6 { source: source.into(), destination: destination.into() }
        } else {
            Addresses::V4 {
                source: (source as u32).into(),
                destination: (destination as u32).into(),
            }
        };
        let flow = Flow::new(vni, addresses, transport, dscp);

        prop_assert_eq!(flow.vni(), vni);
        prop_assert_eq!(flow.transport(), transport);
        prop_assert_eq!(flow.dscp(), dscp);
        match addresses {
            Addresses::V4 { source, destination } => {
                prop_assert_eq!(flow.source(), source);
                prop_assert_eq!(flow.destination(), destination);
            }
            Addresses::V6 { source, destination } => {
                prop_assert_eq!(flow.source(), source);
                prop_assert_eq!(flow.destination(), destination);
            }
        }
    }
}

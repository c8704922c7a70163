// SPDX-License-Identifier: GPL-2.0

//! The cache of known flows: whatever it says is what parsing and lookup say.

mod common;

use std::collections::{
    HashMap,
    HashSet, //
};

use common::{
    build::*,
    cases, //
};
use prism_host::classify::{
    cache::{
        Cache,
        Known,
        Slot,
        Ticket, //
    },
    parse,
    Family,
    Flow,
    WINDOW, //
};
use proptest::{
    prelude::*,
    sample::Index, //
};

fn is_vxlan(_: Family, port: u16) -> bool {
    VXLAN_PORTS.contains(&port)
}

fn family(v6: bool) -> Family {
    if v6 {
        Family::V6
    } else {
        Family::V4
    }
}

/// A cache, and a table that gives each flow an index of its own.
struct Model {
    cache: Cache<Vec<Slot<u32>>>,
    rules: HashMap<String, usize>,
}

impl Model {
    fn new(slots: usize) -> Self {
        Self {
            cache: Cache::new(vec![Slot::vacant(); slots], 1),
            rules: HashMap::new(),
        }
    }

    /// The flows of odd index have no rule.
    fn lookup(&mut self, flow: &Flow) -> Option<usize> {
        let next = self.rules.len();
        let index = *self.rules.entry(format!("{flow:?}")).or_insert(next);

        (index % 2 == 0).then_some(index)
    }

    fn find(&self, v6: bool, head: &[u8], len: usize, stamp: u64) -> Known {
        self.cache.find(family(v6), head, len, &is_vxlan, stamp)
    }

    /// Classifies as the packet path does, and checks each hit. Whether it was one.
    fn classify(&mut self, v6: bool, head: &[u8], len: usize, stamp: u64) -> bool {
        let known = self.find(v6, head, len, stamp);
        let flow = parse(family(v6), head, len, &is_vxlan);

        match (known, flow) {
            (Known::Flow(place, rule), Ok(flow)) => {
                assert_eq!(rule, self.lookup(&flow));
                assert_eq!(self.cache.rule(place.ticket(), stamp), Some(rule));
                true
            }
            (Known::Flow(..), Err(reason)) => panic!("a hit for what is {reason}"),
            (Known::Vacant(vacancy), Ok(flow)) => {
                let rule = self.lookup(&flow);

                let _ = self.cache.note(vacancy, head, stamp, rule);
                false
            }
            _ => false,
        }
    }
}

#[test]
fn each_kind_is_known_the_second_time() {
    for (name, v6, packet) in good_packets() {
        let mut model = Model::new(64);

        assert!(!model.classify(v6, &packet, packet.len(), 1), "{name}");
        let is_tagged = name.contains("vlan");
        let hit = model.classify(v6, &packet, packet.len(), 1);
        assert_eq!(hit, !is_tagged, "{name}");
        assert!(!model.classify(v6, &packet, packet.len(), 2), "{name}");
    }
}

#[test]
fn what_differs_from_packet_to_packet_is_no_matter() {
    let packet = |data: &[u8]| overlay_v4(&ethernet(&[IPV4], &ipv4(UDP, &udp(5555, 11_211, data))));
    let mut model = Model::new(64);
    let first = packet(&[0; 4]);
    let mut second = packet(&[1; 900]);

    // Identification, DF, TTL and checksum of both headers, checksums of UDP.
    for at in [4, 5, 8, 10, 11, 26, 27, 54, 55, 58, 60, 61, 76, 77] {
        second[at] ^= 0x55;
    }
    second[6] ^= 0x40;
    second[56] ^= 0x40;
    assert!(!model.classify(false, &first, first.len(), 1));
    assert!(model.classify(false, &second, second.len(), 1));
    // With padding, and with too little behind the headers.
    assert!(model.classify(false, &second, second.len() + 6, 1));
    assert!(!model.classify(false, &second, second.len() - 1, 1));
    assert!(model.classify(false, &second[..WINDOW], second.len(), 1));
    assert!(!model.classify(false, &second[..77], second.len(), 1));
}

#[test]
fn every_other_bit_matters() {
    for (name, v6, packet) in good_packets() {
        let mut model = Model::new(1);

        model.classify(v6, &packet, packet.len(), 1);
        for at in 0..packet.len().min(WINDOW) {
            for bit in 0..8 {
                let mut other = packet.clone();

                other[at] ^= 1 << bit;
                // A hit is checked; what is noted meanwhile is taken back.
                model.classify(v6, &other, other.len(), 1);
                model.classify(v6, &packet, packet.len(), 1);
            }
        }
        println!("{name}");
    }
}

#[test]
fn a_flow_that_takes_a_slot_finds_nothing_beside_it() {
    let one = ipv4(UDP, &udp(1, 2, &[0; 8]));
    let other = ipv4(UDP, &udp(3, 4, &[0; 8]));
    let mut model = Model::new(1);

    model.classify(false, &one, one.len(), 1);
    let Known::Flow(place, _) = model.find(false, &one, one.len(), 1) else {
        panic!("not known");
    };
    *model.cache.extra(place.ticket()).unwrap() = 7;
    assert_eq!(model.cache.resume(place.ticket(), 1), Some(place));
    assert_eq!(model.cache.resume(place.ticket(), 2), None);
    assert_eq!(model.cache.rule(place.ticket(), 2), None);
    model.classify(false, &other, other.len(), 1);
    assert_eq!(model.cache.extra(place.ticket()), None);
    assert_eq!(model.cache.resume(place.ticket(), 1), None);
    assert_eq!(model.cache.rule(place.ticket(), 1), None);
    let Known::Flow(place, _) = model.find(false, &other, other.len(), 1) else {
        panic!("not known");
    };
    assert_eq!(model.cache.extra(place.ticket()), Some(&mut 0));
}

#[test]
fn no_ticket_finds_nothing() {
    let mut model = Model::new(1);

    assert_eq!(model.cache.extra(Ticket::NONE), None);
    let packet = ipv4(UDP, &udp(1, 2, &[0; 8]));
    model.classify(false, &packet, packet.len(), 1);
    assert_eq!(model.cache.extra(Ticket::NONE), None);
    assert_eq!(model.cache.resume(Ticket::NONE, 1), None);
    assert_eq!(model.cache.rule(Ticket::NONE, 1), None);
}

#[test]
fn who_is_to_make_place_is_seen_before() {
    let mut model = Model::new(1);
    let one = ipv4(UDP, &udp(1, 2, &[0; 8]));
    let other = ipv4(UDP, &udp(3, 4, &[0; 8]));
    let vacancy = |model: &Model, packet: &[u8]| match model.find(false, packet, packet.len(), 1) {
        Known::Vacant(vacancy) => vacancy,
        known => panic!("{known:?}"),
    };

    assert_eq!(model.cache.occupant(vacancy(&model, &one)), None);
    model.classify(false, &one, one.len(), 1);
    let Known::Flow(place, _) = model.find(false, &one, one.len(), 1) else {
        panic!("not known");
    };
    *model.cache.extra(place.ticket()).unwrap() = 7;
    assert_eq!(model.cache.occupant(vacancy(&model, &other)), Some(&7));
}

/// No flow has the ticket of another: not of one before it in its slot, nor of one in another cache.
#[test]
fn tickets_are_unique() {
    let mut models = [Model::new(4), Model::new(4)];
    let mut seen = HashSet::new();

    models[1].cache = Cache::new(vec![Slot::vacant(); 4], 2);
    for model in &mut models {
        for n in 1..1000 {
            let packet = ipv4(UDP, &udp(n, 2, &[0; 8]));

            model.classify(false, &packet, packet.len(), 1);
            let Known::Flow(place, _) = model.find(false, &packet, packet.len(), 1) else {
                panic!("not known");
            };
            assert_ne!(place.ticket(), Ticket::NONE);
            assert_eq!(Ticket::from_word(place.ticket().word()), place.ticket());
            assert!(seen.insert(place.ticket().word()));
        }
    }
}

/// Flows that differ in one byte of their addresses, ports or VNI are hardly ever in each other's way.
#[test]
fn similar_flows_have_slots_of_their_own() {
    let frame = ethernet(&[IPV4], &ipv4(UDP, &udp(5555, 11_211, &[0; 8])));
    let overlay = overlay_v4(&frame);
    let inner = 20 + 8 + 8 + 14;
    let plain = ipv4(UDP, &udp(5555, 11_211, &[0; 8]));
    let flows = [
        (
            overlay,
            vec![
                33,
                inner + 15,
                inner + 19,
                inner + 20,
                inner + 21,
                inner + 23,
            ],
        ),
        (plain, vec![12, 15, 16, 19, 20, 21, 22, 23]),
    ];

    for (packet, places) in flows {
        for at in places {
            let mut model = Model::new(512);
            let packets: Vec<_> = (0..64)
                .map(|value| {
                    let mut packet = packet.clone();
                    packet[at] = value;
                    packet
                })
                .collect();
            let mut known = || {
                let all = packets.iter();
                all.filter(|it| model.classify(false, it, it.len(), 1))
                    .count()
            };

            known();
            let known = known();
            assert!(known >= 48, "byte {at}: {known} of 64 flows");
        }
    }
}

#[test]
fn an_empty_cache_knows_nothing() {
    let packet = ipv4(UDP, &udp(1, 2, &[0; 8]));
    let mut model = Model::new(0);

    assert!(!model.classify(false, &packet, packet.len(), 1));
    assert!(!model.classify(false, &packet, packet.len(), 1));
}

/// A good packet with a few bytes of its headers changed, and how much of it can be read.
fn packets() -> impl Strategy<Value = Vec<(bool, Vec<u8>, usize, u8)>> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..3);
    let one = (any::<Index>(), changes, any::<Index>(), 0u8..8);

    prop::collection::vec(one, 1..24).prop_map(|all| {
        all.into_iter()
            .map(|(which, changes, window, extra)| {
                let (_, v6, mut packet) = which.get(&good_packets()).clone();
                for (at, byte) in changes {
                    let headers = packet.len().min(WINDOW);

                    packet[at.index(headers)] = byte;
                }
                let window = if extra < 6 {
                    packet.len()
                } else {
                    window.index(packet.len() + 1)
                };
                (v6, packet, window, extra)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn what_is_known_is_what_parsing_says(packets in packets(), slots in 0u32..5, stamps in 1u64..3) {
        let mut model = Model::new(1 << slots);

        for (index, (v6, packet, window, extra)) in packets.iter().enumerate() {
            let len = packet.len() + usize::from(*extra % 3);
            let stamp = 1 + index as u64 % stamps;

            model.classify(*v6, &packet[..*window], len, stamp);
            model.classify(*v6, packet, packet.len(), stamp);
        }
    }

    #[test]
    fn flows_with_random_fields(seed in any::<u64>(), which in any::<Index>()) {
        let (_, v6, packet) = which.get(&good_packets()).clone();
        let mut model = Model::new(8);
        let mut state = seed;

        for _ in 0..64 {
            let mut other = packet.clone();
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let at = (state >> 40) as usize % packet.len().min(WINDOW);

            other[at] = (state >> 32) as u8;
            model.classify(v6, &other, other.len(), 1);
            model.classify(v6, &packet, packet.len(), 1);
        }
    }
}

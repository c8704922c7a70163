// SPDX-License-Identifier: GPL-2.0

//! Rules in two tables: against a search through all that are enabled, and what changes cost.

mod common;

use std::collections::BTreeMap;

use common::{
    cases,
    few,
    layers::Layers,
    rules::{
        fields,
        reference,
        table, //
    }, //
};
use prism_host::classify::{
    layers::{
        is_due,
        FEW, //
    },
    rule::{
        Match,
        VniMatch,
        SPECIFICITY_MAX, //
    },
    table::{
        Error,
        ENTRIES_MAX,
        SHAPES_MAX, //
    },
    Addresses,
    Flow,
    Protocol,
    Transport,
    Vni, //
};
use proptest::prelude::*;

/// The name of a rule by number: not in the order of the numbers.
fn name(number: usize) -> String {
    format!("rule{number}")
}

fn vni(vni: usize) -> Match {
    Match {
        vni: VniMatch::Is(Vni::new(vni as u32).unwrap()),
        ..Match::ANY
    }
}

/// A UDP flow in a tunnel.
fn flow(vni: usize) -> Flow {
    let addresses = Addresses::V4 {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
    };
    let transport = Transport {
        protocol: Protocol::UDP,
        source_port: 1,
        destination_port: 2,
    };

    Flow::new(Vni::new(vni as u32), addresses, transport, 0)
}

/// Layers of `count` rules for as many VNIs, of which the first are in the large table.
fn many(count: usize) -> Layers {
    let mut layers = Layers::new();

    for number in 0..count {
        layers.enable(&name(number), vni(number)).unwrap();
    }
    layers
}

#[test]
fn few_rules_are_in_one_table() {
    let mut layers = many(FEW);
    assert!(layers.recent.rules.is_empty());

    layers.disable(&name(7));
    assert_eq!(layers.old.rules.len(), FEW - 1);
    layers.enable(&name(7), vni(7)).unwrap();
    assert!(layers.recent.rules.is_empty());
}

#[test]
fn many_rules_are_in_two() {
    let mut layers = many(FEW + 10);
    assert_eq!(
        (layers.old.rules.len(), layers.recent.rules.len()),
        (FEW, 10)
    );
    assert_eq!(layers.lookup(&flow(3)), Some("rule3"));
    assert_eq!(layers.lookup(&flow(FEW + 3)), Some("rule67"));

    layers.settle();
    assert_eq!(
        (layers.old.rules.len(), layers.recent.rules.len()),
        (FEW + 10, 0)
    );
    assert_eq!(layers.lookup(&flow(FEW + 3)), Some("rule67"));
}

/// The rule that comes next counts where one is withdrawn: its like, a less specific one, none.
#[test]
fn what_a_withdrawn_rule_hides() {
    let mut layers = many(FEW + 10);
    layers.enable("b", fields("vni=3 protocol=udp")).unwrap();
    layers.enable("a", fields("vni=3 protocol=udp")).unwrap();
    layers.settle();

    for expected in [Some("a"), Some("b"), Some("rule3"), None] {
        assert_eq!(layers.lookup(&flow(3)), expected);
        if let Some(name) = expected {
            layers.disable(name);
        }
    }
    // The name is free again, for other flows.
    layers.enable("a", fields("vni=9999")).unwrap();
    assert_eq!(layers.lookup(&flow(3)), None);
    assert_eq!(layers.lookup(&flow(9999)), Some("a"));
}

/// Among equally specific rules the first by name counts, in whichever table it is.
#[test]
fn names_order_equals_across_tables() {
    for (old, recent) in [("a", "b"), ("b", "a")] {
        let mut layers = many(FEW + 10);
        layers.enable(old, fields("vni=3 protocol=udp")).unwrap();
        layers.settle();
        layers.enable(recent, fields("vni=3 protocol=udp")).unwrap();

        assert_eq!(layers.recent.rules.len(), 1);
        assert_eq!(layers.lookup(&flow(3)), Some("a"));
        layers.disable("a");
        assert_eq!(layers.lookup(&flow(3)), Some("b"));
    }
}

/// The limits are those of all rules together, as if they were in one table, without withdrawn ones.
#[test]
fn limits_hold_across_tables() {
    let shape = |index: usize| {
        let [source, destination] = [index % 33, index / 33];
        fields(&format!(
            "source=0.0.0.0/{source} destination=0.0.0.0/{destination}"
        ))
    };
    let mut layers = Layers::new();
    for number in 0..SHAPES_MAX {
        layers.enable(&name(number), shape(number)).unwrap();
    }

    let refused = layers.enable("more", shape(SHAPES_MAX));
    assert_eq!(refused, Err(Error::TooManyShapes));
    layers.enable("again", shape(5)).unwrap();
    layers.disable(&name(6));
    layers.enable("more", shape(SHAPES_MAX)).unwrap();

    let range = fields("protocol=tcp source_port=2-65534 destination_port=2-65534");
    let mut layers = Layers::new();
    let fit = ENTRIES_MAX / (29 * 29);
    for number in 0..fit {
        layers.enable(&name(number), range).unwrap();
    }
    assert_eq!(layers.enable("more", range), Err(Error::TooLarge));
    layers.disable(&name(6));
    layers.enable("more", range).unwrap();
}

/// All changes of `count` rules, one after the other, put fewer than the given number of rules into
/// tables. One table for each change would take `count` times `count`.
#[test]
fn cost_grows_less_than_quadratically() {
    let mut last = 0;

    for count in [1_000, 4_000, 16_000] {
        let mut layers = many(count);
        let enabling = layers.work;
        for number in 0..count {
            layers.disable(&name(number));
        }
        let disabling = layers.work - enabling;

        let most = 2 * count * (count.isqrt() + FEW);
        assert!(enabling < most, "{enabling} of {count} rules");
        assert!(disabling < enabling, "{disabling} of {count} rules");
        // Four times the rules take eight times the work.
        assert!(
            last == 0 || layers.work < 9 * last,
            "{} of {count} rules",
            layers.work
        );
        last = layers.work;
    }
}

#[test]
fn when_one_table_is_due() {
    assert!(is_due(0, 0) && is_due(FEW, 1));
    assert!(!is_due(FEW + 1, FEW) && is_due(FEW + 1, FEW + 1));
    assert!(!is_due(10_000, 141) && is_due(10_000, 142));
    assert!(!is_due(usize::MAX, 0) && is_due(65_535, usize::MAX));
}

#[test]
fn the_highest_specificity() {
    let most = fields(
        "vni=1 protocol=udp source=fd00::1 destination=fd00::2 source_port=1 destination_port=2 dscp=46",
    );

    assert_eq!(most.specificity() as usize, SPECIFICITY_MAX);
}

/// What happens to the rules.
#[derive(Clone, Debug)]
enum Step {
    /// The rule of that number is enabled, or disabled if it is.
    Flip(usize, Match),
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        50 => (0usize..150, few::rule()).prop_map(|(number, rule)| Step::Flip(number, rule)),
        1 => Just(Step::Settle),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn layers_find_what_the_reference_finds(
        start in prop::collection::vec(few::rule(), 60..120),
        steps in prop::collection::vec(step(), 0..200),
        flows in prop::collection::vec(few::flow(), 16),
    ) {
        let mut enabled = BTreeMap::new();
        let mut layers = Layers::new();
        let start = start.into_iter().enumerate().map(|(number, rule)| Step::Flip(number, rule));

        for step in start.chain(steps) {
            match step {
                Step::Settle => layers.settle(),
                Step::Flip(number, rule) => {
                    if enabled.remove(&name(number)).is_some() {
                        layers.disable(&name(number));
                    } else {
                        enabled.insert(name(number), rule);
                        let rules: Vec<_> = enabled.values().copied().collect();
                        let result = layers.enable(&name(number), rule);
                        prop_assert_eq!(result, table(&rules, 1).map(|_| ()));
                        if result.is_err() {
                            enabled.remove(&name(number));
                        }
                    }
                }
            }
            let rules: Vec<_> = enabled.values().copied().collect();
            for flow in &flows {
                let expected = reference(&rules, flow);
                let expected = expected.and_then(|index| enabled.keys().nth(index));
                prop_assert_eq!(layers.lookup(flow), expected.map(String::as_str), "{:?}", flow);
            }
        }
    }
}

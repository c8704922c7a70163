// SPDX-License-Identifier: GPL-2.0

//! Tests of the tables.

use std::{
    collections::BTreeMap,
    time::Instant, //
};

use super::*;
use crate::top::sample::tests::sample;

fn with(f: impl FnOnce(&Change<'_>)) {
    let begin = Instant::now();
    let (before, now) = (sample(begin, 10), sample(begin, 12));

    f(&Change::new(&before, &now));
}

fn names(lines: &Lines) -> Vec<&str> {
    lines.lines.iter().map(|line| line[0].as_str()).collect()
}

#[test]
fn rules_have_rates_and_an_order() {
    with(|change| {
        let lines = change.lines(View::Rules, Sort::Rate);

        assert_eq!(names(&lines), ["cache", "backup", "idle"]);
        assert_eq!(
            lines.lines[0],
            ["cache", "high", "yes", "1000", "800.0k", "12007"]
        );
        assert_eq!(
            names(&change.lines(View::Rules, Sort::Name)),
            ["backup", "cache", "idle"]
        );
    });
}

#[test]
fn cpus_have_sums() {
    with(|change| {
        let lines = change.lines(View::Cpus, Sort::Rate);

        // What is part of normal work is not counted as the kernel's.
        assert_eq!(lines.lines[0], ["0", "1000", "500", "0", "3", "1"]);
        assert_eq!(lines.lines[1], ["1", "400", "200", "0", "3", "1"]);
    });
}

#[test]
fn latency_is_of_the_time_meanwhile() {
    with(|change| {
        let lines = change.lines(View::Latency, Sort::Rate);

        assert_eq!(lines.lines.len(), 1);
        assert_eq!(
            lines.lines[0][..6],
            ["high", "delivered", "200", "2.6us", "5.1us", "1.3ms"]
        );
        assert_eq!(change.to_json()["latency"][0]["p50_ns"], 2560);
    });
}

#[test]
fn drops_that_are_none_are_not_shown() {
    with(|change| {
        let lines = change.lines(View::Drops, Sort::Rate);

        assert_eq!(names(&lines), ["eth0: ring is full", "prism: dropped_bulk"]);
        assert_eq!(lines.lines[0][1..], ["12", "144"]);
        assert_eq!(
            names(&change.lines(View::Drops, Sort::Name)),
            ["eth0: ring is full", "prism: dropped_bulk"]
        );
    });
}

#[test]
fn json_has_what_the_tables_have() {
    with(|change| {
        let json = change.to_json();

        assert_eq!(json["cpus_per_second"]["0"]["looked_up"], 1000.0);
        assert_eq!(json["cpus_per_second"]["1"]["kernel"], 1.0);
        assert_eq!(json["drops"]["eth0: ring is full"], 144);
        assert_eq!(json["drops_per_second"]["eth0: ring is full"], 12.0);
        assert_eq!(json["latency_is_measured"], true);
    });
}

#[test]
fn what_begins_anew_counts_from_zero() {
    let begin = Instant::now();
    let (before, mut now) = (sample(begin, 10), sample(begin, 12));

    now.rules.get_mut("cache").unwrap().packets = 30;
    let change = Change::new(&before, &now);
    let lines = change.lines(View::Rules, Sort::Name);
    assert_eq!(lines.lines[1][3], "15");
}

#[test]
fn numbers_are_short() {
    for (number, text) in [
        (0.0, "0"),
        (9999.0, "9999"),
        (12_345.0, "12.3k"),
        (2.5e6, "2.5M"),
        (9.9e9, "9.9G"),
    ] {
        assert_eq!(amount(number), text);
    }
}

#[test]
fn bars_stand_at_their_times() {
    let bars = bars(&BTreeMap::from([((1_000_000, 1_200_000), 5)]));

    assert_eq!(bars.chars().position(|bar| bar == '█'), Some(9));
    assert_eq!(bars.trim(), "█");
}

#[test]
fn times_stand_above_their_bars() {
    with(|change| {
        let heading = change.lines(View::Latency, Sort::Rate).heading[6];

        for (time, ns) in [("1us", 1_000), ("100us", 100_000), ("10ms", 10_000_000)] {
            let bars = bars(&BTreeMap::from([((ns, ns + 1), 5)]));

            assert_eq!(heading.find(time), bars.chars().position(|bar| bar == '█'));
        }
    });
}

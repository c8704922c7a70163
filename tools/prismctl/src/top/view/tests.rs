// SPDX-License-Identifier: GPL-2.0

//! Tests of the tables.

use std::time::Instant;

use serde_json::json;

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
            lines.lines[..2],
            [
                [
                    "cache", "high", "yes", "1000", "800.0k", "0", "2.6us", "5.1us", "", "12007",
                    "0"
                ],
                [
                    "backup", "bulk", "yes", "400", "320.0k", "3", "20.5us", "20.5us", "w", "4807",
                    "36"
                ],
            ]
        );
        assert_eq!(lines.lines[2][6..9], ["-", "-", ""]);
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
fn latency_is_told_by_rule() {
    with(|change| {
        let lines = change.lines(View::RuleLatency, Sort::Rate);

        assert_eq!(
            lines.lines[0][..6],
            ["cache", "delivered", "200", "2.6us", "5.1us", "1.3ms"]
        );
        assert_eq!(
            lines.lines[1][..6],
            ["backup", "waited", "100", "20.5us", "20.5us", "20.5us"]
        );
        assert_eq!(
            names(&change.lines(View::RuleLatency, Sort::Name)),
            ["backup", "cache"]
        );
        let json = change.to_json();
        assert_eq!(json["rule_latency"][0]["rule"], "cache");
        assert_eq!(json["rule_latency"][0]["kind"], "delivered");
        assert_eq!(json["rule_latency"][0]["packets"], 200);
        assert_eq!(
            json["rule_latency"][1]["buckets"][0],
            json!([16384, 20480, 100])
        );
        assert_eq!(json["rules"][0]["latency_kind"], "waited");
        assert_eq!(json["rules"][0]["p99_ns"], 20480);
        assert_eq!(json["rules"][0]["dropped"], 36);
        assert_eq!(json["rules"][0]["dropped_per_second"], 3.0);
        assert_eq!(json["rules"][2]["latency_kind"], json!(null));
        assert_eq!(json["rules"][2]["p50_ns"], json!(null));
    });
}

#[test]
fn an_older_module_tells_less_of_rules() {
    let begin = Instant::now();
    let older = |seconds| {
        let mut sample = sample(begin, seconds);

        sample.by_rule = None;
        for rule in sample.rules.values_mut() {
            rule.counts.dropped = None;
        }
        sample
    };
    let (before, now) = (older(10), older(12));
    let change = Change::new(&before, &now);
    let lines = change.lines(View::Rules, Sort::Rate);

    assert!(!lines.heading.contains(&"HALF"));
    assert_eq!(
        lines.lines[0],
        ["cache", "high", "yes", "1000", "800.0k", "-", "12007", "-"]
    );
    assert_eq!(
        change.lines(View::RuleLatency, Sort::Rate).hint,
        Some("the module that is loaded does not tell times of rules")
    );
    let json = change.to_json();
    assert_eq!(json["rule_latency"], json!(null));
    assert_eq!(json["rules"][0]["dropped"], json!(null));
    assert_eq!(json["rules"][0]["dropped_per_second"], json!(null));
}

#[test]
fn rules_have_no_times_while_none_are_measured() {
    let begin = Instant::now();
    let (before, mut now) = (sample(begin, 10), sample(begin, 12));

    now.measures = Some(false);
    now.by_rule = before.by_rule.clone();
    let change = Change::new(&before, &now);
    assert!(!change
        .lines(View::Rules, Sort::Rate)
        .heading
        .contains(&"HALF"));
    let lines = change.lines(View::RuleLatency, Sort::Rate);
    assert_eq!(
        (lines.lines.len(), lines.hint),
        (0, Some("not measured: prismctl top --latency"))
    );
}

#[test]
fn what_a_rule_had_before_it_was_disabled_is_not_of_now() {
    let begin = Instant::now();
    let (mut before, now) = (sample(begin, 10), sample(begin, 12));

    before.rules.get_mut("cache").unwrap().enabled = false;
    before.by_rule.as_mut().unwrap().delivered.clear();
    let change = Change::new(&before, &now);
    assert_eq!(
        names(&change.lines(View::RuleLatency, Sort::Rate)),
        ["backup"]
    );
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

    now.rules.get_mut("cache").unwrap().counts.packets = 30;
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

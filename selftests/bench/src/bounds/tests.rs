// SPDX-License-Identifier: GPL-2.0

//! Tests of the bounds.

use super::*;

fn row(peer: &str, p99_ns: u64, lost: u64) -> Row {
    Row {
        scenario: "it".to_owned(),
        load_percent: 80,
        peer: peer.to_owned(),
        flow: "high".to_owned(),
        sent: 1000,
        received: 1000 - lost,
        lost,
        duration_ms: 1000,
        p99_ns,
        ..Row::default()
    }
}

fn rows() -> Vec<Row> {
    vec![
        row("vanilla", 100, 0),
        row("ebpf-nic", 50, 500),
        row("sync", 60, 1),
        Row {
            scenario: "it".to_owned(),
            peer: "batch".to_owned(),
            cannot: Some("no such mode".to_owned()),
            ..Row::default()
        },
    ]
}

/// What is measured of a line, and whether it holds.
fn judged(line: &str) -> (f64, bool) {
    let bounds = parse(&format!("what it\n{line}\n")).unwrap();

    match bounds[0].judge(&rows()) {
        Verdict::Holds { measured, .. } => (measured, true),
        Verdict::Fails { measured, .. } => (measured, false),
        Verdict::Unknown(why) => panic!("{why}"),
    }
}

fn unknown(line: &str) -> String {
    let bounds = parse(&format!("what it\n{line}\n")).unwrap();

    match bounds[0].judge(&rows()) {
        Verdict::Unknown(why) => why,
        _ => panic!("{line}"),
    }
}

#[test]
fn bounds_are_kept_or_not() {
    assert_eq!(judged("p99_ns it/80/sync/high at most 60"), (60.0, true));
    assert_eq!(judged("p99_ns it/80/sync/high at most 59"), (60.0, false));
    assert_eq!(judged("rate it/80/sync/high at least 999"), (999.0, true));
    assert_eq!(judged("rate it/80/sync/high at least 1000"), (999.0, false));
}

#[test]
fn a_bound_is_relative_to_another_cell() {
    let of = "p99_ns it/80/sync/high at most 0.6 of it/80/vanilla/high";
    let above = "p99_ns it/80/sync/high at most 9 above it/80/ebpf-nic/high";

    assert_eq!(judged(of), (0.6, true));
    assert_eq!(judged(above), (10.0, false));
}

#[test]
fn of_several_peers_the_hardest_counts() {
    let fast = "p99_ns it/80/sync/high at most 1 of it/80/vanilla,ebpf-nic/high";
    let much = "rate it/80/sync/high at least 1 of it/80/ebpf-nic,vanilla/high";

    assert_eq!(judged(fast), (1.2, false));
    assert_eq!(judged(much), (0.999, false));
}

#[test]
fn none_may_be_lost() {
    assert!(!judged("p99_ns it/80/sync/high at most 60 none lost").1);
    assert!(judged("p99_ns it/80/vanilla/high at most 100 none lost").1);
}

#[test]
fn what_was_not_measured_is_neither() {
    assert_eq!(
        unknown("p99_ns it/80/batch/high at most 1"),
        "batch cannot run: no such mode"
    );
    assert_eq!(
        unknown("p99_ns it/idle/sync/high at most 1"),
        "no it at 0 %, sync, flow high"
    );
    assert_eq!(
        unknown("p50_ns it/80/sync/high at most 1 of it/80/vanilla/high"),
        "nothing came of what it is compared with"
    );
}

#[test]
fn says_what_is_wrong() {
    let bad = |line: &str| match parse(&format!("what it\n{line}\n")) {
        Ok(_) => panic!("{line}"),
        Err(why) => format!("{why:#}"),
    };

    assert_eq!(
        bad("p99_ns it/80/sync/high is 4"),
        "line 2: expected FIGURE CELL at most|least NUMBER"
    );
    assert_eq!(
        bad("p98_ns it/80/sync/high at most 4"),
        "line 2: no such figure: p98_ns"
    );
    assert_eq!(
        bad("p99_ns it/80/best/high at most 4"),
        "line 2: it/80/best/high: no such peer: best"
    );
    assert_eq!(
        bad("p99_ns it/80/sync at most 4"),
        "line 2: it/80/sync: expected SCENARIO/LOAD/PEER/FLOW"
    );
    assert_eq!(
        bad("p99_ns it/80/sync/high at most x"),
        "line 2: x: no number"
    );
    assert_eq!(
        bad("p99_ns it/80/sync/high at about 4"),
        "line 2: at about: expected most or least"
    );
    assert_eq!(
        bad("p99_ns it/80/sync/high at most 4 none"),
        "line 2: what is none?"
    );
    assert_eq!(
        parse("p99_ns it/80/sync/high at most 4")
            .err()
            .unwrap()
            .to_string(),
        "line 1"
    );
    assert!(parse("# nothing\n").is_err());
}

/// The kept bounds are about cells that the kept scenarios have.
#[test]
fn all_can_be_measured() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let scenarios = crate::scenario::read_all(dir.as_ref()).unwrap();

    for bound in parse(include_str!("../../bounds")).unwrap() {
        let others = bound.relative.into_iter().flat_map(|(_, others)| others);

        for place in others.chain([bound.cell]) {
            let has = scenarios
                .iter()
                .find(|it| it.name == place.scenario)
                .is_some_and(|it| it.has(place.load, &place.peer, &place.flow));

            assert!(has, "{}: {}", bound.what, place.name());
        }
    }
}

#[test]
fn a_flow_that_never_arrived_keeps_no_bound() {
    let bounds = parse("what it\np99_ns it/80/sync/high at most 60\n").unwrap();

    assert!(matches!(
        bounds[0].judge(&[row("sync", 0, 1000)]),
        Verdict::Fails { .. }
    ));
}

// SPDX-License-Identifier: GPL-2.0

//! results.json: an object for each flow of a cell, with the names that `bench run` uses, and more of
//! them where rounds differ.

use anyhow::Result;
use serde_json::{
    json,
    Map,
    Value, //
};

use super::{
    cell::{
        Cell,
        Run,
        Spread, //
    },
    paper, //
};

/// The latencies and what they are called in a round.
const TIMES: [(&str, &str); 6] = [
    ("p50_ns", "p50"),
    ("p90_ns", "p90"),
    ("p99_ns", "p99"),
    ("p999_ns", "p999"),
    ("max_ns", "max"),
    ("mean_ns", "mean"),
];

/// The whole file.
pub fn json(run: &Run, about: &[(String, String)]) -> Result<String> {
    let mut objects = Vec::new();

    for cell in &run.cells {
        for mut object in flows(run, cell) {
            object.insert("clock".into(), "wall".into());
            object.insert("rounds".into(), run.rounds().into());
            add(&mut object, "saturation_pps", run.saturation, whole);
            add(
                &mut object,
                "saturation_tcp_bytes_per_s",
                run.saturation_tcp,
                whole,
            );
            add(&mut object, "interrupt_gap_us", run.gap, whole);
            for (key, value) in about {
                object.insert(key.clone(), value.clone().into());
            }
            objects.push(object);
        }
    }
    Ok(serde_json::to_string_pretty(&objects)? + "\n")
}

/// The flow that is measured and, where there is any, bulk traffic.
fn flows(run: &Run, cell: &Cell) -> Vec<Map<String, Value>> {
    let mut high = flow(cell, "high", "high");

    if let (Some(sent), Some(received)) = (cell.spread("sent"), cell.spread("received")) {
        high.insert("sent".into(), whole(sent.median));
        high.insert("received".into(), whole(received.median));
        high.insert("lost".into(), whole(sent.median - received.median));
    }
    for (name, figure) in TIMES {
        add(&mut high, name, cell.spread(figure), |us| {
            whole(us * 1000.0)
        });
    }
    add(&mut high, "throughput", cell.spread("rate"), hundredths);
    high.insert("unit".into(), format!("{}/s", cell.unit).into());
    add(
        &mut high,
        "receiver_idle_percent",
        cell.spread("idle"),
        hundredths,
    );
    if let Some(base) = run.base(cell) {
        for (name, figure) in [
            ("p50_ratio", "p50"),
            ("p99_ratio", "p99"),
            ("throughput_ratio", "rate"),
        ] {
            add(&mut high, name, cell.ratio(base, figure), hundredths);
        }
    }
    if let Some(paper) = paper::figure(&cell.experiment, cell.load, &cell.mode) {
        high.insert("paper".into(), paper.into());
    }

    let mut flows = vec![high];
    for (figure, unit) in [("bulk", "packet/s"), ("bulk_bytes", "byte/s")] {
        if let Some(rate) = cell.spread(figure) {
            let mut bulk = flow(cell, "bulk", "normal");
            add(&mut bulk, "throughput", Some(rate), hundredths);
            bulk.insert("unit".into(), unit.into());
            flows.push(bulk);
        }
    }
    flows
}

/// A flow of which nothing is known yet.
fn flow(cell: &Cell, name: &str, class: &str) -> Map<String, Value> {
    [
        ("scenario", json!(cell.experiment)),
        ("load_percent", json!(cell.load)),
        ("peer", json!(cell.mode)),
        ("flow", json!(name)),
        ("class", json!(class)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// The median by its name, and the lowest and the highest beside it.
fn add(to: &mut Map<String, Value>, name: &str, spread: Option<Spread>, show: fn(f64) -> Value) {
    if let Some(spread) = spread {
        to.insert(name.to_owned(), show(spread.median));
        to.insert(format!("{name}_low"), show(spread.low));
        to.insert(format!("{name}_high"), show(spread.high));
    }
}

fn whole(number: f64) -> Value {
    (number.round() as i64).into()
}

fn hundredths(number: f64) -> Value {
    ((number * 100.0).round() / 100.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::cell::tests::GOOD;

    fn objects() -> Vec<Value> {
        let run = Run::parse(GOOD).unwrap();
        let about = [("kernel".to_owned(), "7.3".to_owned())];

        serde_json::from_str(&json(&run, &about).unwrap()).unwrap()
    }

    #[test]
    fn names_of_bench_run() {
        let objects = objects();
        let flow =
            |object: &Value| format!("{}/{}", object["peer"], object["flow"]).replace('"', "");

        assert_eq!(
            objects.iter().map(flow).collect::<Vec<_>>(),
            ["vanilla/high", "vanilla/bulk", "sync/high"]
        );
        assert_eq!(objects[0]["scenario"], "overlay");
        assert_eq!(objects[0]["load_percent"], 65);
        assert_eq!(objects[0]["kernel"], "7.3");
        assert_eq!(objects[0]["saturation_pps"], 50_000);
    }

    #[test]
    fn figures_and_their_spread() {
        let objects = objects();
        let (vanilla, bulk, sync) = (&objects[0], &objects[1], &objects[2]);

        assert_eq!(vanilla["p50_ns"], 150_000);
        assert_eq!(vanilla["p50_ns_low"], 100_000);
        assert_eq!(vanilla["p50_ns_high"], 200_000);
        assert_eq!(vanilla["p50_ratio"], 1.0);
        assert_eq!(vanilla["lost"], 1);
        assert_eq!(bulk["throughput"], 25_000.0);
        assert_eq!(bulk["p50_ns"], Value::Null);
        assert_eq!(sync["p50_ratio"], 0.3);
        assert_eq!(sync["throughput_ratio_high"], 3.0);
        assert_eq!(sync["paper"], "mean, p99 about -50 %");
    }
}

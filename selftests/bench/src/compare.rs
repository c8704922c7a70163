// SPDX-License-Identifier: GPL-2.0

//! What changed between two result files.

use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use clap::Args;

use crate::cell::{
    find,
    Row, //
};

/// Options of `compare`.
#[derive(Args)]
pub struct Options {
    old: PathBuf,
    new: PathBuf,
    /// What is told of, in per cent.
    #[arg(long, default_value_t = 1.0)]
    changed: f64,
    /// How much worse a median or what was received may be, in per cent.
    #[arg(long, default_value_t = 5.0)]
    bound: f64,
    /// How much worse a 99th percentile may be, in per cent: it rests on few packets.
    #[arg(long, default_value_t = 20.0)]
    bound_p99: f64,
    /// Fails where OLD has a figure that NEW lacks.
    #[arg(long)]
    all: bool,
}

/// A figure that changed.
struct Change {
    what: String,
    old: u64,
    new: u64,
    /// In per cent of the old one; more is worse.
    worse: f64,
    /// Whether few packets decide about it.
    is_rare: bool,
}

/// Prints the changes. Whether no figure is worse than the bound.
pub fn run(options: &Options) -> Result<bool> {
    let (old, new) = (read(&options.old)?, read(&options.new)?);
    let changes = changes(&old, &new)?;
    let mut good = true;

    for row in old
        .iter()
        .filter(|row| options.all && same(&new, row).is_none())
    {
        println!("MISSING  {}", row.place());
        good = false;
    }

    for change in &changes {
        let bound = if change.is_rare {
            options.bound_p99
        } else {
            options.bound
        };
        let is_bad = change.worse > bound;

        good &= !is_bad;
        if is_bad || change.worse.abs() > options.changed {
            println!(
                "{:<8} {:+7.1} %  {} -> {}  {}",
                if is_bad { "WORSE" } else { "changed" },
                change.worse,
                change.old,
                change.new,
                change.what
            );
        }
    }
    println!(
        "{} figures compared; {} worse than the bound",
        changes.len(),
        if good {
            "none is"
        } else {
            "some are missing or"
        }
    );
    Ok(good)
}

fn read(path: &Path) -> Result<Vec<Row>> {
    let name = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(name)?;

    let mut rows: Vec<Row> = serde_json::from_str(&text).with_context(name)?;
    rows.retain(|row| row.cannot.is_none());
    Ok(rows)
}

/// The row of `rows` for the same place as `row`.
fn same<'a>(rows: &'a [Row], row: &Row) -> Option<&'a Row> {
    find(rows, row, &row.peer, row.load_percent)
}

/// The figures of flows that are in both: medians, 99th percentiles, and what was received.
fn changes(old: &[Row], new: &[Row]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();

    for row in new {
        let Some(before) = same(old, row) else {
            continue;
        };
        let place = row.place();
        let mut add = |figure: &str, old: u64, new: u64, sign: f64| {
            let change = match old {
                0 => 100.0 * f64::from(u8::from(new > 0)),
                old => (new as f64 - old as f64) * 100.0 / old as f64,
            };
            changes.push(Change {
                what: format!("{figure}: {place}"),
                old,
                new,
                worse: sign * change,
                is_rare: figure.ends_with("p99_ns"),
            });
        };

        add("p50_ns", before.p50_ns, row.p50_ns, 1.0);
        add("p99_ns", before.p99_ns, row.p99_ns, 1.0);
        add("received", before.received, row.received, -1.0);
        for (name, note) in &row.notes {
            if let Some(before) = before.notes.get(name) {
                add(&format!("{name} p50_ns"), before.p50_ns, note.p50_ns, 1.0);
                add(&format!("{name} p99_ns"), before.p99_ns, note.p99_ns, 1.0);
            }
        }
    }
    ensure!(!changes.is_empty(), "the files have nothing in common");
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(p50_ns: u64, received: u64) -> Row {
        Row {
            scenario: "it".to_owned(),
            load_percent: 80,
            peer: "sync".to_owned(),
            flow: "high".to_owned(),
            class: "high".to_owned(),
            sent: 1000,
            received,
            p50_ns,
            p99_ns: p50_ns,
            ..Row::default()
        }
    }

    fn worst(old: Row, new: Row) -> f64 {
        let changes = changes(&[old], &[new]).unwrap();

        changes
            .iter()
            .map(|change| change.worse)
            .fold(f64::MIN, f64::max)
    }

    #[test]
    fn slower_and_fewer_is_worse() {
        assert_eq!(worst(row(100, 1000), row(110, 1000)), 10.0);
        assert_eq!(worst(row(100, 1000), row(90, 1000)), 0.0);
        assert_eq!(worst(row(100, 1000), row(100, 900)), 10.0);
        assert_eq!(worst(row(0, 0), row(0, 0)), 0.0);
    }

    #[test]
    fn files_with_nothing_in_common_are_refused() {
        let mut other = row(1, 1);
        other.peer = "vanilla".to_owned();

        assert!(changes(&[row(1, 1)], &[other]).is_err());
    }
}

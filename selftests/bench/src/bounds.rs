// SPDX-License-Identifier: GPL-2.0

//! Bounds: what figures of results.json have to be, in lines of a file.
//!
//! ```text
//! what TEXT
//! FIGURE CELL at most|least NUMBER [of|above CELL] [none lost]
//! ```
//!
//! All lines up to the next `what` are about that. A cell is SCENARIO/LOAD/PEER/FLOW, where LOAD is
//! `idle`, a number of per cent, or `highest`. With `of`, the bound is that many times the figure of the
//! other cell; with `above`, that much more. Several peers of the other cell, with commas between them,
//! are the one of them that is hardest to keep up with. `none lost` is about the first cell.

mod report;

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};

use crate::{
    cell::Row,
    scenario::PEERS, //
};

pub use report::{
    run,
    Options, //
};

/// Takes a figure from a row.
type Figure = fn(&Row) -> f64;

/// What can be looked at.
const FIGURES: &[(&str, Figure)] = &[
    ("p50_ns", |row| row.p50_ns as f64),
    ("p90_ns", |row| row.p90_ns as f64),
    ("p99_ns", |row| row.p99_ns as f64),
    ("p999_ns", |row| row.p999_ns as f64),
    ("max_ns", |row| row.max_ns as f64),
    ("mean_ns", |row| row.mean_ns as f64),
    ("rate", Row::rate),
    ("bit_rate", Row::bit_rate),
];

/// A bound.
struct Bound {
    what: String,
    figure: &'static str,
    value: Figure,
    cell: Place,
    side: Side,
    number: f64,
    relative: Option<(Relation, Vec<Place>)>,
    is_none_lost: bool,
}

/// Where a figure is from.
#[derive(Clone)]
struct Place {
    scenario: String,
    load: u32,
    peer: String,
    flow: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Most,
    Least,
}

#[derive(Clone, Copy)]
enum Relation {
    Of,
    Above,
}

/// What became of a bound.
enum Verdict {
    Holds { measured: f64, lost: u64 },
    Fails { measured: f64, lost: u64 },
    Unknown(String),
}

/// Reads the bounds.
fn parse(text: &str) -> Result<Vec<Bound>> {
    let mut what = None;
    let mut bounds = Vec::new();

    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(text) = line.strip_prefix("what ") {
            what = Some(text.trim().to_owned());
        } else if !line.is_empty() {
            let about = || format!("line {}", number + 1);
            let what = what
                .clone()
                .context("a bound of what?")
                .with_context(about)?;

            bounds.push(Bound::parse(what, line).with_context(about)?);
        }
    }
    ensure!(!bounds.is_empty(), "no bounds");
    Ok(bounds)
}

impl Bound {
    fn parse(what: String, line: &str) -> Result<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let [figure, cell, "at", side, number, rest @ ..] = words.as_slice() else {
            bail!("expected FIGURE CELL at most|least NUMBER");
        };
        let (figure, value) = FIGURES
            .iter()
            .find(|(name, _)| name == figure)
            .with_context(|| format!("no such figure: {figure}"))?;
        let (relation, rest) = match rest {
            ["of", cell, rest @ ..] => (Some((Relation::Of, places(cell)?)), rest),
            ["above", cell, rest @ ..] => (Some((Relation::Above, places(cell)?)), rest),
            rest => (None, rest),
        };
        let cells = places(cell)?;
        let [cell] = cells.as_slice() else {
            bail!("{cell}: more than one peer");
        };

        Ok(Self {
            what,
            figure,
            value: *value,
            cell: cell.clone(),
            side: match *side {
                "most" => Side::Most,
                "least" => Side::Least,
                _ => bail!("at {side}: expected most or least"),
            },
            number: number
                .parse()
                .ok()
                .filter(|number| f64::is_finite(*number))
                .with_context(|| format!("{number}: no number"))?,
            relative: relation,
            is_none_lost: match rest {
                [] => false,
                ["none", "lost"] => true,
                _ => bail!("what is {}?", rest.join(" ")),
            },
        })
    }

    /// What these results say of it. What is measured is in the unit of the bound's number.
    fn judge(&self, rows: &[Row]) -> Verdict {
        match self.measure(rows) {
            Ok((measured, lost)) => {
                let is_kept = match self.side {
                    Side::Most => measured <= self.number,
                    Side::Least => measured >= self.number,
                };

                if is_kept && !(self.is_none_lost && lost > 0) {
                    Verdict::Holds { measured, lost }
                } else {
                    Verdict::Fails { measured, lost }
                }
            }
            Err(why) => Verdict::Unknown(why),
        }
    }

    fn measure(&self, rows: &[Row]) -> Result<(f64, u64), String> {
        let row = self.cell.find(rows)?;
        if row.received == 0 {
            // What is no number keeps no bound.
            return Ok((f64::NAN, row.lost));
        }
        let own = (self.value)(row);
        let Some((relation, others)) = &self.relative else {
            return Ok((own, row.lost));
        };
        let mut hardest = None;

        for other in others {
            let other = (self.value)(other.find(rows)?);

            hardest = Some(match (hardest, self.side) {
                (None, _) => other,
                (Some(hardest), Side::Most) => f64::min(hardest, other),
                (Some(hardest), Side::Least) => f64::max(hardest, other),
            });
        }
        match (relation, hardest) {
            (Relation::Above, Some(other)) => Ok((own - other, row.lost)),
            (Relation::Of, Some(other)) if other > 0.0 => Ok((own / other, row.lost)),
            _ => Err("nothing came of what it is compared with".to_owned()),
        }
    }
}

/// The cells that are named, one for each peer.
fn places(text: &str) -> Result<Vec<Place>> {
    let [scenario, load, peers, flow] = text.split('/').collect::<Vec<_>>()[..] else {
        bail!("{text}: expected SCENARIO/LOAD/PEER/FLOW");
    };
    let load = match load {
        "idle" => 0,
        // The load that each takes is all of it.
        "highest" => 100,
        load => load.parse().with_context(|| format!("{text}: no load"))?,
    };

    peers
        .split(',')
        .map(|peer| {
            ensure!(PEERS.contains(&peer), "{text}: no such peer: {peer}");
            Ok(Place {
                scenario: scenario.to_owned(),
                load,
                peer: peer.to_owned(),
                flow: flow.to_owned(),
            })
        })
        .collect()
}

impl Place {
    fn name(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.scenario, self.load, self.peer, self.flow
        )
    }

    /// Its row, or why there is none.
    fn find<'a>(&self, rows: &'a [Row]) -> Result<&'a Row, String> {
        let mut rows = rows
            .iter()
            .filter(|row| row.scenario == self.scenario && row.peer == self.peer);
        let Self {
            scenario,
            load,
            peer,
            flow,
        } = self;

        rows.clone()
            .find(|row| row.cannot.is_none() && row.load_percent == *load && row.flow == *flow)
            .ok_or_else(|| match rows.find_map(|row| row.cannot.as_ref()) {
                Some(why) => format!("{peer} cannot run: {why}"),
                None => format!("no {scenario} at {load} %, {peer}, flow {flow}"),
            })
    }
}

#[cfg(test)]
mod tests;

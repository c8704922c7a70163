// SPDX-License-Identifier: GPL-2.0

//! Bounds as a table.

use std::{
    fs,
    path::PathBuf, //
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use clap::Args;

use crate::cell::Row;

use super::{
    parse,
    Bound,
    Relation,
    Side,
    Verdict, //
};

/// Options of `bounds`.
#[derive(Args)]
pub struct Options {
    /// The file with the bounds.
    bounds: PathBuf,
    /// What was measured: results.json.
    results: PathBuf,
    /// Fails also where a bound could not be measured.
    #[arg(long)]
    all: bool,
}

/// Prints what became of the bounds. Whether those that could be measured hold.
pub fn run(options: &Options) -> Result<bool> {
    let name = || options.bounds.display().to_string();
    let text = fs::read_to_string(&options.bounds).with_context(name)?;
    let bounds = parse(&text).with_context(name)?;
    let name = || options.results.display().to_string();
    let text = fs::read_to_string(&options.results).with_context(name)?;
    let rows: Vec<Row> = serde_json::from_str(&text).with_context(name)?;
    ensure!(!rows.is_empty(), "{}: nothing was measured", name());

    let (mut holding, mut failing, mut unknown) = (0, 0, 0);
    println!("{:<74} {:>8} {:>9}  holds", "what", "bound", "measured");
    let mut last = "";
    for bound in &bounds {
        if bound.what != last {
            println!("{}", bound.what);
            last = &bound.what;
        }
        let (measured, holds) = match bound.judge(&rows) {
            Verdict::Holds { measured, lost } => {
                holding += 1;
                (bound.show(measured, lost), "yes".to_owned())
            }
            Verdict::Fails { measured, lost } => {
                failing += 1;
                (bound.show(measured, lost), "NO".to_owned())
            }
            Verdict::Unknown(why) => {
                unknown += 1;
                ("-".to_owned(), format!("not measured: {why}"))
            }
        };

        let most = match bound.side {
            Side::Most => "<=",
            Side::Least => ">=",
        };
        println!(
            "  {:<72} {:>8} {measured:>9}  {holds}",
            bound.about(),
            format!("{most} {}", bound.number),
        );
    }
    println!("{holding} bounds hold, {failing} do not, {unknown} could not be measured");
    // A file that has nothing to do with the bounds keeps none.
    Ok(holding > 0 && failing == 0 && !(options.all && unknown > 0))
}

impl Bound {
    /// A measured value in the unit of the bound, and what should not have been lost.
    fn show(&self, measured: f64, lost: u64) -> String {
        let lost = match lost {
            lost if self.is_none_lost && lost > 0 => format!(", {lost} lost"),
            _ => String::new(),
        };

        match self.relative {
            Some((Relation::Of, _)) => format!("{measured:.3}{lost}"),
            _ => format!("{measured:.0}{lost}"),
        }
    }

    /// What is compared with what.
    fn about(&self) -> String {
        let mut text = format!("{} {}", self.figure, self.cell.name());

        if let Some((relation, others)) = &self.relative {
            let peers: Vec<_> = others.iter().map(|other| other.peer.as_str()).collect();
            text += match relation {
                Relation::Of => " of ",
                Relation::Above => " above ",
            };
            text += &peers.join(",");
            if let Some(other) = others.first() {
                if (&other.scenario, other.load) != (&self.cell.scenario, self.cell.load) {
                    text += &format!(" {}/{}", other.scenario, other.load);
                }
            }
        }
        if self.is_none_lost {
            text += ", none lost";
        }
        text
    }
}

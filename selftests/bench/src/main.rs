// SPDX-License-Identifier: GPL-2.0

//! Measures what the receive path makes packets wait for, with PRISM and with what else there is, in
//! a guest with virtual time, and compares what was measured.

mod bounds;
mod cell;
mod compare;
mod guest;
mod plot;
mod scenario;
mod table;
mod wall;

use std::{
    fs,
    path::{
        Path,
        PathBuf, //
    },
    process::ExitCode,
};

use anyhow::{
    bail,
    Context,
    Result, //
};
use clap::{
    Args,
    Parser, //
};

use crate::{
    cell::{
        Cell,
        Row, //
    },
    scenario::Scenario,
};

/// Measures PRISM beside its peers, in virtual time.
#[derive(Parser)]
enum Command {
    /// Runs scenarios and writes results.json, the tables and the plots.
    Run(Run),
    /// Says what changed between two result files.
    Compare(compare::Options),
    /// Says which bounds what was measured keeps.
    Bounds(bounds::Options),
    /// Writes results.json and the table of what two guests told in wall-clock time.
    Wall(wall::Options),
}

#[derive(Args)]
struct Run {
    /// The files that describe the scenarios.
    #[arg(long)]
    scenarios: PathBuf,
    /// Only this scenario; all otherwise.
    #[arg(long)]
    scenario: Option<String>,
    /// Only these peers, with commas between them.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Where the results go.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    guests: guest::Guests,
    /// About this run, in each result: KEY=VALUE.
    #[arg(long = "about", value_parser = key_value)]
    about: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').context("expected KEY=VALUE")?;

    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Run(options) => run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Bounds(options) => bounds::run(&options),
        Command::Wall(options) => wall::run(&options),
    };

    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn run(options: &Run) -> Result<bool> {
    let mut scenarios = scenario::read_all(&options.scenarios)?;
    if let Some(name) = &options.scenario {
        scenarios.retain(|scenario| scenario.name == *name);
        if scenarios.is_empty() {
            bail!("there is no scenario {name}");
        }
    }
    for scenario in &mut scenarios {
        scenario.keep_peers(&options.peers)?;
    }

    let mut run = options.guests.run(&scenarios)?;
    let mut well = true;
    for cell in &mut run.cells {
        if let Some(scenario) = scenarios.iter().find(|it| it.name == cell.scenario) {
            cell.find_holes(scenario);
        }
        if let Err(why) = cell.check() {
            eprintln!(
                "bench: {} at {} %, {}: {why}",
                cell.scenario, cell.load, cell.peer
            );
            well = false;
        }
    }
    let mut rows = rows(&run.cells, &scenarios);
    fs::create_dir_all(&options.out)?;
    plot::write(&options.out, &rows, &run.cells)?;
    rows.extend(run.cannot);
    write_json(&options.out.join("results.json"), &rows, &options.about)?;
    for (key, value) in &options.about {
        println!("{key}: {value}");
    }
    table::print(&rows);
    println!("results: {}", options.out.join("results.json").display());
    Ok(well)
}

fn rows(cells: &[Cell], scenarios: &[Scenario]) -> Vec<Row> {
    cells
        .iter()
        .filter_map(|cell| {
            let scenario = scenarios.iter().find(|it| it.name == cell.scenario)?;
            Some(cell.rows(scenario))
        })
        .flatten()
        .collect()
}

fn write_json(path: &Path, rows: &[Row], about: &[(String, String)]) -> Result<()> {
    let objects = rows
        .iter()
        .map(|row| {
            let mut object = serde_json::to_value(row)?;
            if let Some(fields) = object.as_object_mut() {
                for (key, value) in about {
                    fields.insert(key.clone(), value.clone().into());
                }
            }
            Ok(object)
        })
        .collect::<Result<Vec<_>>>()?;

    fs::write(path, serde_json::to_string_pretty(&objects)? + "\n")
        .with_context(|| path.display().to_string())
}

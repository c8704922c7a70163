// SPDX-License-Identifier: GPL-2.0

//! The paper's experiments in wall-clock time: from what two guests told of each round to medians,
//! their spread and ratios, as results.json and a table.
//!
//! Where guests are emulated, a figure depends on what else the machine does at that moment. So ratios
//! are of one round, in which the modes follow each other, and the ratio that is shown is the median of
//! those.

mod cell;
mod paper;
mod report;
mod table;

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

use cell::Run;

/// Options of `wall`.
#[derive(Args)]
pub struct Options {
    /// What the guest of the clients told.
    data: PathBuf,
    /// Where results.json goes.
    #[arg(long)]
    out: PathBuf,
    /// About this run, in each result: KEY=VALUE.
    #[arg(long = "about", value_parser = crate::key_value)]
    about: Vec<(String, String)>,
}

/// Writes results.json and prints the table. Whether each experiment showed what it is about.
pub fn run(options: &Options) -> Result<bool> {
    let name = || options.data.display().to_string();
    let text = fs::read_to_string(&options.data).with_context(name)?;
    let run = Run::parse(&text).with_context(name)?;
    ensure!(!run.cells.is_empty(), "nothing was measured");

    let results = options.out.join("results.json");
    fs::create_dir_all(&options.out)?;
    fs::write(&results, report::json(&run, &options.about)?)
        .with_context(|| results.display().to_string())?;
    print!("{}", table::text(&run));
    if options
        .about
        .contains(&("accel".to_owned(), "tcg".to_owned()))
    {
        println!("\nThe guests are emulated: only ratios within this run tell something.");
    }
    println!("results: {}", results.display());
    let problems = run.problems();
    for problem in &problems {
        eprintln!("bench: {problem}");
    }
    Ok(problems.is_empty())
}

// SPDX-License-Identifier: GPL-2.0

//! Makes tables and a JSON file of what a guest has executed and told.

use std::{
    fs::{
        self,
        File, //
    },
    path::{
        Path,
        PathBuf, //
    },
    process::ExitCode,
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use clap::Parser;
use profile::{
    column::Column,
    guest,
    table,
    trace, //
};
use serde_json::{
    json,
    Map, //
};

/// Says which stage of a packet's way takes how many instructions.
#[derive(Parser)]
struct Options {
    /// What the recorder has written.
    #[arg(long)]
    trace: PathBuf,
    /// What the guest has told.
    #[arg(long)]
    guest: PathBuf,
    /// The file to write.
    #[arg(long)]
    json: PathBuf,
    /// About this run: KEY=VALUE.
    #[arg(long = "about", value_parser = key_value)]
    about: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').context("expected KEY=VALUE")?;

    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("profile: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let columns = columns(&options.trace, &options.guest)?;

    write_json(&options.json, &columns, &options.about)?;
    table::print_stages(&columns);
    table::print_functions(&columns);
    columns.iter().try_for_each(Column::check)
}

fn columns(trace: &Path, guest: &Path) -> Result<Vec<Column>> {
    let text = fs::read_to_string(guest).with_context(|| guest.display().to_string())?;
    let told = guest::read(&text)?;
    let file = File::open(trace).with_context(|| trace.display().to_string())?;
    let recordings = trace::read(file)?;

    ensure!(
        recordings.len() == told.len(),
        "{} recordings, of which the guest tells {}",
        recordings.len(),
        told.len()
    );
    told.iter()
        .zip(&recordings)
        .map(|(told, recording)| Column::new(told, recording))
        .collect()
}

fn write_json(path: &Path, columns: &[Column], about: &[(String, String)]) -> Result<()> {
    let mut object: Map<_, _> = about
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    object.insert("columns".to_owned(), json!(columns));

    fs::write(path, serde_json::to_string_pretty(&object)? + "\n")
        .with_context(|| path.display().to_string())
}

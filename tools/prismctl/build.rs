// SPDX-License-Identifier: GPL-2.0

//! Makes completions for shells and manual pages.

use std::error::Error;

use clap::CommandFactory;

#[path = "../assets.rs"]
mod assets;
#[path = "src/cli.rs"]
mod cli;

fn main() -> Result<(), Box<dyn Error>> {
    let to = assets::completions(cli::Cli::command())?;

    clap_mangen::generate_to(cli::Cli::command(), to)?;
    Ok(())
}

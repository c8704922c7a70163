// SPDX-License-Identifier: GPL-2.0

//! Makes completions for shells and the manual page, in the directory `PRISM_ASSETS` or where Cargo
//! wants what is generated.

use std::{
    env,
    error::Error,
    fs,
    path::PathBuf, //
};

use clap::CommandFactory;
use clap_complete::Shell;

#[path = "src/cli.rs"]
mod cli;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/cli.rs");
    println!("cargo::rerun-if-env-changed=PRISM_ASSETS");
    let to = env::var_os("PRISM_ASSETS")
        .or_else(|| env::var_os("OUT_DIR"))
        .map(PathBuf::from)
        .ok_or("neither PRISM_ASSETS nor OUT_DIR is set")?;

    fs::create_dir_all(&to)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli::Cli::command(), "prismd", &to)?;
    }
    clap_mangen::Man::new(cli::Cli::command())
        .section("8")
        .generate_to(&to)?;
    Ok(())
}

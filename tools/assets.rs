// SPDX-License-Identifier: GPL-2.0

//! What the build script of each tool makes of its command line.

use std::{
    env,
    error::Error,
    fs,
    path::PathBuf, //
};

use clap::Command;
use clap_complete::Shell;

/// Makes completions for shells in the directory `PRISM_ASSETS`, or where Cargo wants what is generated.
/// Manual pages belong there, too: which directory it is.
pub(crate) fn completions(mut command: Command) -> Result<PathBuf, Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/cli.rs");
    println!("cargo::rerun-if-env-changed=PRISM_ASSETS");
    let name = command.get_name().to_owned();
    let to = env::var_os("PRISM_ASSETS")
        .or_else(|| env::var_os("OUT_DIR"))
        .map(PathBuf::from)
        .ok_or("neither PRISM_ASSETS nor OUT_DIR is set")?;

    fs::create_dir_all(&to)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, &name, &to)?;
    }
    Ok(to)
}

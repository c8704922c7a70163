// SPDX-License-Identifier: GPL-2.0

//! Why a command fails.

use std::{
    io,
    path::{
        Path,
        PathBuf, //
    },
};

use prism_config::{
    Failure,
    Problems, //
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Module(#[from] prism_config::Error),
    #[error("{0}")]
    Value(String),
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("the file is wrong, and nothing was changed\n{}", in_file(.path, .problems))]
    File { path: PathBuf, problems: Problems },
    #[error("{}: {why}", .path.display())]
    Io { path: PathBuf, why: io::Error },
    #[error("there is no tracefs: mount -t tracefs none /sys/kernel/tracing")]
    NoTracefs,
    #[error("standard output is no terminal: prismctl top --once, or --batch TIMES")]
    NoTerminal,
    #[error("a screen is no JSON: prismctl --json top --once, or --batch TIMES")]
    NoScreen,
    #[error("times cannot be measured: this kernel is locked down, as with Secure Boot (see kernel_lockdown(7))")]
    LockedDown,
    #[error("the module that is loaded has no tracepoints")]
    NoTracepoints,
    #[error("output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// The exit status. What is different has 1, as diff(1) has it, so this is not.
    pub(crate) fn status(&self) -> u8 {
        match self {
            // To try again does not help.
            Self::File { .. } => 3,
            Self::Failure(Failure::Left { .. }) => 4,
            _ => 2,
        }
    }
}

/// What is wrong, as compilers tell it, so that editors find the place.
fn in_file(path: &Path, Problems(problems): &Problems) -> String {
    let lines = problems
        .iter()
        .map(|problem| format!("{}:{problem}", path.display()));

    lines.collect::<Vec<_>>().join("\n")
}

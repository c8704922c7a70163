// SPDX-License-Identifier: GPL-2.0

//! Why the daemon does not start, or a command fails.

use std::io;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Module(#[from] prism_config::Error),
    #[error(transparent)]
    Engine(#[from] crate::engine::Error),
    #[error("{0}")]
    Socket(String),
    #[error("not all was done")]
    Incomplete,
    #[error("{0}")]
    Io(#[from] io::Error),
}

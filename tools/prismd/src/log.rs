// SPDX-License-Identifier: GPL-2.0

//! Where messages go: to the journal if standard error does, which systemd says, and to standard error
//! otherwise.

use std::os::fd::AsFd;

use nix::sys::stat::fstat;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    layer::SubscriberExt,
    util::SubscriberInitExt, //
};

/// Begins to log what is at least that important.
pub(crate) fn start(level: LevelFilter) {
    let journal = is_journal()
        .then(tracing_journald::layer)
        .and_then(Result::ok)
        .map(|layer| layer.with_field_prefix(None));
    let lines = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_target(false)
            .without_time()
    });

    tracing_subscriber::registry()
        .with(level)
        .with(journal)
        .with(lines)
        .init();
}

/// Whether standard error is what systemd has connected to the journal.
fn is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();

    fstat(std::io::stderr().as_fd())
        .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

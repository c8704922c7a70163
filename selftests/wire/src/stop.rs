// SPDX-License-Identifier: GPL-2.0

//! A polite end: SIGTERM and SIGINT make the senders stop and the report come.

use std::sync::atomic::{
    AtomicBool,
    Ordering, //
};

use anyhow::Result;
use nix::sys::signal::{
    sigaction,
    SaFlags,
    SigAction,
    SigHandler,
    SigSet,
    Signal, //
};

static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn on_signal(_: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// Catches the signals from here on.
pub fn catch() -> Result<()> {
    let action = SigAction::new(
        SigHandler::Handler(on_signal),
        SaFlags::empty(),
        SigSet::empty(),
    );

    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: The handler stores to an atomic and does nothing else.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

/// Whether a signal came.
pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

// SPDX-License-Identifier: GPL-2.0

//! What an operator reads and writes: rules in configfs, knobs and counters in sysfs.
//!
//! A value that is refused leaves everything as it was, and a line in the log that says which value
//! of what was refused, and why. The formats are described in `Documentation/ABI/testing`.

mod debug;
mod knobs;
mod rules;
mod selection;

use core::{
    fmt,
    str, //
};

use kernel::{
    prelude::*,
    sync::Arc,
    ThisModule, //
};

use knet::{
    configfs::Subsystem,
    files::STORE_MAX,
    sysfs, //
};

use crate::{
    breaker::Armed,
    datapath::Shared,
    switch::Switch, //
};

use self::{
    debug::Debug,
    knobs::{
        Counters,
        Knobs, //
    },
    rules::Directories, //
};

/// The control plane, registered.
///
/// The fields are dropped in this order: once `rules` is gone there is no rule, and once the groups
/// are gone nobody switches the hooks, which go with them.
#[pin_data]
pub(crate) struct Control {
    #[pin]
    rules: Subsystem<Directories>,
    _counters: sysfs::Group<Counters>,
    _knobs: sysfs::Group<Knobs>,
    _breaker: Armed,
    #[pin]
    debug: Debug,
}

impl Control {
    /// Registers `/sys/kernel/prism` and `/sys/kernel/config/prism`, in which there may be
    /// `max_rules` rules. Nothing that can fail may follow in the module's initialisation.
    ///
    /// Context: process.
    pub(crate) fn new(
        module: &'static ThisModule,
        shared: Arc<Shared>,
        max_rules: u32,
    ) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let switch = Switch::new(shared.clone())?;
            let directories = Directories::new(switch.clone(), max_rules)?;
            let counters = Counters::new(shared.clone())?;
            let debug = Debug::new(&shared);
            let breaker = Armed::new(shared.clone(), switch.clone())?;
            let knobs = Knobs::new(shared, switch)?;
            let directory = sysfs::Directory::new(c"prism")?;

            Ok(try_pin_init!(Self {
                _counters: sysfs::Group::new(directory.clone(), Some(c"stats"), &counters)?,
                _knobs: sysfs::Group::new(directory, None, &knobs)?,
                _breaker: breaker,
                debug <- debug,
                rules <- Subsystem::new(c"prism", c"rules", directories, module),
            }))
        })
    }
}

/// The file that a value was written to, as a log line names it: `mode`, `rule web: dscp`.
#[derive(Clone, Copy)]
struct Field<'a> {
    rule: Option<&'a CStr>,
    file: &'static CStr,
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(rule) = self.rule {
            write!(f, "rule {}: ", Escaped(rule.to_bytes()))?;
        }
        Escaped(self.file.to_bytes()).fmt(f)
    }
}

impl Field<'_> {
    /// Logs that `value` was refused, and returns `errno`.
    fn refuse(&self, value: &[u8], why: impl fmt::Display, errno: Error) -> Error {
        log(format_args!("{self}: '{}': {why}", Escaped(value)));
        errno
    }

    /// What was written, as text.
    fn text<'a>(&self, value: &'a [u8]) -> Result<&'a str> {
        if value.len() >= STORE_MAX {
            return Err(self.refuse(value, "longer than a file takes", E2BIG));
        }
        str::from_utf8(value).map_err(|_| self.refuse(value, "not UTF-8", EINVAL))
    }
}

/// Logs a line that a user caused, unless there are too many.
fn log(line: fmt::Arguments<'_>) {
    if knet::log::may_log() {
        pr_warn!("{line}\n");
    }
}

/// A text from a user, fit for one line of the log: without its last newline, without control
/// characters, and not longer than a name of a device or a rule needs.
struct Escaped<'a>(&'a [u8]);

/// How many bytes of a text are shown.
const ESCAPED_MAX: usize = 64;

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.strip_suffix(b"\n").unwrap_or(self.0);

        match text.get(..ESCAPED_MAX) {
            Some(start) if start.len() < text.len() => write!(f, "{}...", start.escape_ascii()),
            _ => text.escape_ascii().fmt(f),
        }
    }
}

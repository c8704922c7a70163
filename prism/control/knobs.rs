// SPDX-License-Identifier: GPL-2.0

//! Knobs and counters: files in `/sys/kernel/prism`.

use core::fmt::Write;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use knet::files::{
    Files,
    Page, //
};

use crate::{
    config::PRIORITY_HIGH,
    datapath::Shared,
    ruleset::BuildError,
    stats::Counter,
    switch::{
        Mode,
        Switch, //
    },
};

use super::{
    selection,
    Field, //
};

/// The files that change something.
pub(super) struct Knobs {
    shared: Arc<Shared>,
    switch: Arc<Switch>,
}

/// A file of the knobs.
#[derive(Clone, Copy)]
pub(super) enum Knob {
    Mode,
    Devices,
    PriorityHigh,
}

impl Knobs {
    /// The knobs of the packet path.
    pub(super) fn new(shared: Arc<Shared>, switch: Arc<Switch>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { shared, switch }, GFP_KERNEL)?)
    }

    fn set_mode(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let mode = Mode::parse(trim(field.text(value)?))
            .ok_or_else(|| field.refuse(value, "expected off or sync", EINVAL))?;

        self.switch
            .set_mode(mode)
            .map_err(|why| field.refuse(value, BuildError::Hooks(why), why))
    }

    fn set_devices(&self, field: &Field<'_>, value: &[u8]) -> Result {
        self.switch.select_devices(selection::parse(field, value)?)
    }

    fn set_priority_high(field: &Field<'_>, value: &[u8]) -> Result {
        let text = trim(field.text(value)?);
        if text == "off" {
            PRIORITY_HIGH.set(None);
            return Ok(());
        }
        // `parse` alone would take a sign.
        let priority = text
            .parse()
            .ok()
            .filter(|_| text.starts_with(|first: char| first.is_ascii_digit()))
            .ok_or_else(|| {
                let expected = "expected off or a number from 0 to 4294967295";
                field.refuse(value, expected, EINVAL)
            })?;

        PRIORITY_HIGH.set(Some(priority));
        Ok(())
    }
}

impl Files for Knobs {
    type File = Knob;

    const FILES: &'static [Knob] = &[Knob::Mode, Knob::Devices, Knob::PriorityHigh];

    fn name(knob: Knob) -> &'static CStr {
        match knob {
            Knob::Mode => c"mode",
            Knob::Devices => c"devices",
            Knob::PriorityHigh => c"priority_high",
        }
    }

    fn is_writable(_: Knob) -> bool {
        true
    }

    fn show(&self, knob: Knob, page: &mut Page<'_>) -> Result {
        match knob {
            Knob::Mode => writeln!(page, "{}", self.switch.mode().name()),
            Knob::Devices => self.shared.devices.show(page),
            Knob::PriorityHigh => match PRIORITY_HIGH.get() {
                Some(priority) => writeln!(page, "{priority}"),
                None => writeln!(page, "off"),
            },
        }?;
        Ok(())
    }

    fn store(&self, knob: Knob, value: &[u8]) -> Result {
        let field = Field {
            rule: None,
            file: Self::name(knob),
        };

        match knob {
            Knob::Mode => self.set_mode(&field, value),
            Knob::Devices => self.set_devices(&field, value),
            Knob::PriorityHigh => Self::set_priority_high(&field, value),
        }
    }
}

/// `text` without one trailing newline and without the spaces around it.
fn trim(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text).trim_matches(' ')
}

/// The files in `stats`.
pub(super) struct Counters(Arc<Shared>);

impl Counters {
    /// The counters of `shared`.
    pub(super) fn new(shared: Arc<Shared>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(shared), GFP_KERNEL)?)
    }
}

impl Files for Counters {
    type File = Counter;

    const FILES: &'static [Counter] = &Counter::ALL;

    fn name(counter: Counter) -> &'static CStr {
        counter.name()
    }

    fn is_writable(_: Counter) -> bool {
        false
    }

    fn show(&self, counter: Counter, page: &mut Page<'_>) -> Result {
        writeln!(page, "{}", self.0.stats.sum(counter))?;
        Ok(())
    }

    fn store(&self, _: Counter, _: &[u8]) -> Result {
        Err(EACCES)
    }
}

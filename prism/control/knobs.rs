// SPDX-License-Identifier: GPL-2.0

//! Knobs and counters: files in `/sys/kernel/prism`.

use core::{
    fmt::Write,
    sync::atomic::Ordering, //
};

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

use knet::files::{
    Files,
    Page, //
};

use crate::{
    config::PRIORITY_HIGH,
    datapath::Shared,
    hooks::Hooks,
    stats::Counter, //
};

use super::{
    selection,
    Field, //
};

/// What becomes of packets of class high.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing: no hook is registered.
    Off,
    /// They run to completion through the kernel's own layers.
    Sync,
}

impl Mode {
    const ALL: [Self; 2] = [Self::Off, Self::Sync];

    const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Sync => "sync",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == text)
    }
}

/// The files that change something.
#[pin_data]
pub(super) struct Knobs {
    shared: Arc<Shared>,
    /// Registered in mode `sync`. Held while the mode is switched.
    #[pin]
    hooks: Mutex<Option<Hooks>>,
}

/// A file of the knobs.
#[derive(Clone, Copy)]
pub(super) enum Knob {
    Mode,
    Devices,
    PriorityHigh,
}

impl Knobs {
    /// The knobs as they are after loading: the mode is off.
    pub(super) fn new(shared: Arc<Shared>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                shared,
                hooks <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )
    }

    fn mode(&self) -> Mode {
        match *self.hooks.lock() {
            None => Mode::Off,
            Some(_) => Mode::Sync,
        }
    }

    fn set_mode(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let text = field.text(value)?;
        let mode = Mode::parse(trim(text))
            .ok_or_else(|| field.refuse(value, "expected off or sync", EINVAL))?;
        let mut hooks = self.hooks.lock();

        match mode {
            Mode::Off => *hooks = None,
            Mode::Sync if hooks.is_some() => {}
            Mode::Sync => {
                let started = Hooks::start(self.shared.clone())
                    .map_err(|errno| field.refuse(value, "not all hooks can be had", errno))?;
                *hooks = Some(started);
            }
        }
        Ok(())
    }

    fn set_devices(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let selection = selection::parse(field, value)?;
        let hooks = self.hooks.lock();

        self.shared.devices.select(selection)?;
        if let Some(hooks) = &*hooks {
            hooks.devices_changed();
        }
        Ok(())
    }

    fn set_priority_high(field: &Field<'_>, value: &[u8]) -> Result {
        let text = trim(field.text(value)?);
        // `parse` alone would take a sign.
        let priority = text
            .parse()
            .ok()
            .filter(|_| text.starts_with(|first: char| first.is_ascii_digit()))
            .ok_or_else(|| field.refuse(value, "expected a number from 0 to 4294967295", EINVAL))?;

        PRIORITY_HIGH.store(priority, Ordering::Relaxed);
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
            Knob::Mode => writeln!(page, "{}", self.mode().name()),
            Knob::Devices => self.shared.devices.show(page),
            Knob::PriorityHigh => writeln!(page, "{}", PRIORITY_HIGH.load(Ordering::Relaxed)),
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

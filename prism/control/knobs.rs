// SPDX-License-Identifier: GPL-2.0

//! Knobs and counters: files in `/sys/kernel/prism`.

use core::{
    fmt::Write,
    ops::RangeInclusive, //
};

use kernel::{
    prelude::*,
    sync::Arc, //
};

use knet::files::{
    Files,
    Page, //
};

use crate::{
    breaker::Invariant,
    classify::{
        drr::WEIGHT_MAX,
        rule::{
            self,
            parse_bool, //
        },
        Class, //
    },
    config::{
        Number,
        HIGH_SHARE,
        LIMIT,
        LIMIT_BYTES,
        PRIORITY_HIGH,
        QUANTUM,
        RECENT_US,
        WEIGHTS, //
    },
    datapath::Shared,
    ruleset::BuildError,
    settings::{
        self,
        Mode, //
    },
    stats::Counter,
    switch::Switch,
};

use super::{
    log,
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
    Isolate,
    Accelerate,
    ReceiverSlice,
    Receivers,
    Broken,
    #[cfg(CONFIG_FAULT_INJECTION)]
    Provoke,
    Number(&'static Range),
}

/// A knob that is a number.
pub(super) struct Range {
    name: &'static CStr,
    number: fn() -> &'static Number,
    least: u32,
    most: u32,
}

impl Range {
    const fn new(
        name: &'static CStr,
        number: fn() -> &'static Number,
        least: u32,
        most: u32,
    ) -> Self {
        Self {
            name,
            number,
            least,
            most,
        }
    }

    fn set(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let range = self.least..=self.most;

        (self.number)().set(number_in(field, value, range, false)?);
        Ok(())
    }
}

/// What the file `broken` has while nothing is.
const NOTHING_BROKEN: &str = "none";

/// The most packets that a turn of NAPI serves: `NAPI_POLL_WEIGHT`.
const NAPI_POLL_WEIGHT: u32 = 64;

/// The time slices that a task can have (`__setparam_fair()`), in microseconds.
const SLICES_US: RangeInclusive<u32> = 100..=100_000;

static RANGES: [Range; 8] = [
    Range::new(c"quantum", || &QUANTUM, 1, NAPI_POLL_WEIGHT),
    Range::new(c"limit", || &LIMIT, 1, 1_000_000),
    Range::new(c"limit_bytes", || &LIMIT_BYTES, 1 << 16, 1 << 30),
    Range::new(c"recent_us", || &RECENT_US, 0, 10_000_000),
    Range::new(c"high_share", || &HIGH_SHARE, 1, 100),
    Range::new(c"weight_interactive", || &WEIGHTS[0], 1, WEIGHT_MAX),
    Range::new(c"weight_normal", || &WEIGHTS[1], 1, WEIGHT_MAX),
    Range::new(c"weight_bulk", || &WEIGHTS[2], 1, WEIGHT_MAX),
];

impl Knobs {
    /// The knobs of the packet path.
    pub(super) fn new(shared: Arc<Shared>, switch: Arc<Switch>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { shared, switch }, GFP_KERNEL)?)
    }

    fn set_mode(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let mode = Mode::parse(trim(field.text(value)?))
            .ok_or_else(|| field.refuse(value, "expected off, batch, sync or express", EINVAL))?;

        self.switch
            .set_mode(mode)
            .map_err(|why| self.no_hooks(field, value, why))?;
        if mode == Mode::Express && !cfg!(CONFIG_NET_SWITCHDEV) {
            // Nothing tells of changes at bridges.
            log(format_args!(
                "{field}: express does what sync does on a kernel without CONFIG_NET_SWITCHDEV"
            ));
        }
        Ok(())
    }

    fn set_isolate(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let isolate =
            parse_bool(field.text(value)?).map_err(|why| field.refuse(value, why, EINVAL))?;

        self.switch
            .set_isolate(isolate)
            .map_err(|why| self.no_hooks(field, value, why))
    }

    /// What the breaker has seen, as text.
    fn broken(&self) -> &'static str {
        self.shared
            .breaker
            .broken()
            .map_or(NOTHING_BROKEN, Invariant::broken)
    }

    fn mend(&self, field: &Field<'_>, value: &[u8]) -> Result {
        if trim(field.text(value)?) != NOTHING_BROKEN {
            return Err(field.refuse(value, "expected none", EINVAL));
        }
        self.shared.breaker.mend();
        Ok(())
    }

    #[cfg(CONFIG_FAULT_INJECTION)]
    fn provoke(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let invariant = Invariant::parse(trim(field.text(value)?))
            .ok_or_else(|| field.refuse(value, "no such invariant", EINVAL))?;

        self.shared.breaker.provoke(invariant);
        Ok(())
    }

    /// Why hooks cannot be had.
    fn no_hooks(&self, field: &Field<'_>, value: &[u8], why: Error) -> Error {
        match self.shared.breaker.broken() {
            Some(it) if why == EIO => field.refuse(
                value,
                format_args!("turned off for {}, see the file broken", it.broken()),
                why,
            ),
            _ => field.refuse(value, BuildError::Hooks(why), why),
        }
    }

    fn set_receiver_slice(&self, field: &Field<'_>, value: &[u8]) -> Result {
        let slice_us = number_in(field, value, SLICES_US, true)?;

        self.shared.receivers.set_slice_us(slice_us).map_err(|why| {
            let reason = match why {
                ENOMEM => "out of memory",
                _ => "this kernel does not tell who is woken",
            };

            field.refuse(value, reason, why)
        })
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
        let priority = number(text).ok_or_else(|| {
            let expected = "expected off or a number from 0 to 4294967295";
            field.refuse(value, expected, EINVAL)
        })?;

        PRIORITY_HIGH.set(Some(priority));
        Ok(())
    }
}

impl Files for Knobs {
    type File = Knob;

    const FILES: &'static [Knob] = &[
        Knob::Mode,
        Knob::Devices,
        Knob::PriorityHigh,
        Knob::Isolate,
        Knob::Accelerate,
        Knob::ReceiverSlice,
        Knob::Receivers,
        Knob::Broken,
        #[cfg(CONFIG_FAULT_INJECTION)]
        Knob::Provoke,
        Knob::Number(&RANGES[0]),
        Knob::Number(&RANGES[1]),
        Knob::Number(&RANGES[2]),
        Knob::Number(&RANGES[3]),
        Knob::Number(&RANGES[4]),
        Knob::Number(&RANGES[5]),
        Knob::Number(&RANGES[6]),
        Knob::Number(&RANGES[7]),
    ];

    fn name(knob: Knob) -> &'static CStr {
        match knob {
            Knob::Mode => c"mode",
            Knob::Devices => c"devices",
            Knob::PriorityHigh => c"priority_high",
            Knob::Isolate => c"isolate",
            Knob::Accelerate => c"accelerate",
            Knob::ReceiverSlice => c"receiver_slice_us",
            Knob::Receivers => c"receivers",
            Knob::Broken => c"broken",
            #[cfg(CONFIG_FAULT_INJECTION)]
            Knob::Provoke => c"provoke",
            Knob::Number(range) => range.name,
        }
    }

    fn is_writable(knob: Knob) -> bool {
        !matches!(knob, Knob::Receivers)
    }

    fn is_private(knob: Knob) -> bool {
        // It has names of devices in all namespaces.
        matches!(knob, Knob::Devices)
    }

    fn show(&self, knob: Knob, page: &mut Page<'_>) -> Result {
        match knob {
            Knob::Mode => writeln!(page, "{}", self.switch.mode().name()),
            Knob::Devices => self.shared.devices.show(page),
            Knob::PriorityHigh => match PRIORITY_HIGH.get() {
                Some(priority) => writeln!(page, "{priority}"),
                None => writeln!(page, "off"),
            },
            Knob::Isolate => writeln!(page, "{}", u8::from(self.switch.isolates())),
            Knob::Accelerate => writeln!(page, "{}", settings::current().accelerate()),
            Knob::ReceiverSlice => writeln!(page, "{}", self.shared.receivers.slice_us()),
            Knob::Receivers => writeln!(page, "{}", self.shared.receivers.count()),
            Knob::Broken => writeln!(page, "{}", self.broken()),
            #[cfg(CONFIG_FAULT_INJECTION)]
            Knob::Provoke => writeln!(page, "none"),
            Knob::Number(range) => writeln!(page, "{}", (range.number)().get()),
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
            Knob::Isolate => self.set_isolate(&field, value),
            Knob::Accelerate => set_accelerate(&field, value),
            Knob::ReceiverSlice => self.set_receiver_slice(&field, value),
            Knob::Receivers => Err(EACCES),
            Knob::Broken => self.mend(&field, value),
            #[cfg(CONFIG_FAULT_INJECTION)]
            Knob::Provoke => self.provoke(&field, value),
            Knob::Number(range) => range.set(&field, value),
        }
    }
}

fn set_accelerate(field: &Field<'_>, value: &[u8]) -> Result {
    let class: Class = field
        .text(value)?
        .parse()
        .map_err(|why: rule::Error| field.refuse(value, why, EINVAL))?;

    settings::set_accelerate(class);
    Ok(())
}

/// The number that is written, which has to be in `range`, or zero where that `may_be_zero`.
fn number_in(
    field: &Field<'_>,
    value: &[u8],
    range: RangeInclusive<u32>,
    may_be_zero: bool,
) -> Result<u32> {
    number(trim(field.text(value)?))
        .filter(|number| range.contains(number) || may_be_zero && *number == 0)
        .ok_or_else(|| {
            let zero = if may_be_zero { "0 or " } else { "" };
            let (least, most) = (range.start(), range.end());

            field.refuse(
                value,
                format_args!("expected {zero}a number from {least} to {most}"),
                EINVAL,
            )
        })
}

/// The number that `text` is. `parse` alone would take a sign.
fn number(text: &str) -> Option<u32> {
    text.parse()
        .ok()
        .filter(|_| text.starts_with(|first: char| first.is_ascii_digit()))
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

    fn is_private(_: Counter) -> bool {
        false
    }

    fn show(&self, counter: Counter, page: &mut Page<'_>) -> Result {
        let packets = match counter {
            Counter::RouteReused => self.0.routes.reused(),
            _ => self.0.stats.sum(counter),
        };

        writeln!(page, "{packets}")?;
        Ok(())
    }

    fn store(&self, _: Counter, _: &[u8]) -> Result {
        Err(EACCES)
    }
}

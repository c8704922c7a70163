// SPDX-License-Identifier: GPL-2.0

//! A circuit breaker: what the packet path relies on is looked at where that costs little, and where it
//! does not hold, the module turns itself off. The host keeps its network, without priorities.
//!
//! What was seen is said once in the log and stays in the file `broken`. As long as it is there, nothing
//! is turned on.
//!
//! A kernel with fault injection has the file `provoke`, by which each of these can be made to fail.

use core::sync::atomic::{
    AtomicUsize,
    Ordering, //
};

use kernel::{
    prelude::*,
    sync::Arc, //
};
use knet::{
    context::RxContext,
    rcu::RcuCell, //
};

use crate::{
    datapath::Shared,
    settings::{
        self,
        Mode, //
    },
    switch::Switch, //
};

/// What always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Invariant {
    /// No packet is in flight where a turn begins.
    InFlight,
    /// A queue has as many packets as it says.
    Queue,
    /// Nothing of a batch is between the stages when the next begins.
    Batch,
    /// A packet of a flow goes only where one was counted that waits.
    Flow,
    /// What a CPU has for itself is not in use when it wants it.
    Local,
    /// What is held back is let through in time.
    Gate,
}

impl Invariant {
    /// All, in the order of their numbers.
    const ALL: [Self; 6] = [
        Self::InFlight,
        Self::Queue,
        Self::Batch,
        Self::Flow,
        Self::Local,
        Self::Gate,
    ];

    /// What was seen where it does not hold.
    pub(crate) const fn broken(self) -> &'static str {
        match self {
            Self::InFlight => "a packet in flight at the beginning of a turn",
            Self::Queue => "a queue without the packets that it had counted",
            Self::Batch => "a packet of a batch that was over",
            Self::Flow => "a packet of a flow that had none waiting",
            Self::Local => "a CPU that wanted what it was using",
            Self::Gate => "packets held back for ten seconds",
        }
    }
}

#[cfg(CONFIG_FAULT_INJECTION)]
impl Invariant {
    /// Its name in the file `provoke`.
    const fn name(self) -> &'static str {
        match self {
            Self::InFlight => "inflight",
            Self::Queue => "queue",
            Self::Batch => "batch",
            Self::Flow => "flow",
            Self::Local => "local",
            Self::Gate => "gate",
        }
    }

    /// What a user wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == text)
    }
}

/// The number of an invariant, or none.
#[derive(Default)]
struct Slot(AtomicUsize);

impl Slot {
    const NONE: usize = 0;

    fn number(invariant: Invariant) -> usize {
        (invariant as usize).saturating_add(1)
    }

    #[inline]
    fn get(&self) -> Option<Invariant> {
        let number = self.0.load(Ordering::Relaxed);

        Invariant::ALL.get(number.checked_sub(1)?).copied()
    }

    /// Whether there was none before.
    fn fill(&self, invariant: Invariant) -> bool {
        let number = Self::number(invariant);

        self.0
            .compare_exchange(Self::NONE, number, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether it was this one.
    #[inline]
    fn take(&self, invariant: Invariant) -> bool {
        self.0.load(Ordering::Relaxed) != Self::NONE
            && self
                .0
                .compare_exchange(
                    Self::number(invariant),
                    Self::NONE,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    fn clear(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }
}

/// Turns the module off where an [`Invariant`] does not hold.
pub(crate) struct Breaker {
    broken: Slot,
    /// What is to fail where it is looked at next.
    provoked: Slot,
    /// Who takes the hooks away.
    switch: RcuCell<Arc<Switch>>,
}

impl Breaker {
    /// Nothing is broken.
    pub(crate) fn new() -> Self {
        Self {
            broken: Slot::default(),
            provoked: Slot::default(),
            switch: RcuCell::new(),
        }
    }

    /// Whether `invariant` holds, of which `holds` tells. Otherwise the module is off when this returns,
    /// and its hooks go soon.
    #[inline]
    pub(crate) fn check(&self, cx: &RxContext<'_>, invariant: Invariant, holds: bool) -> bool {
        let is_provoked = cfg!(CONFIG_FAULT_INJECTION) && self.provoked.take(invariant);

        if holds && !is_provoked {
            return true;
        }
        self.trip(cx, invariant);
        false
    }

    #[cold]
    fn trip(&self, cx: &RxContext<'_>, invariant: Invariant) {
        let is_first = self.broken.fill(invariant);

        settings::set_mode(Mode::Off, false);
        if is_first {
            pr_err!("turned off: {}\n", invariant.broken());
        }
        if let Some(switch) = self.switch.read(cx) {
            switch.follow_breaker();
        }
    }

    /// What was broken, since an operator cleared it.
    #[inline]
    pub(crate) fn broken(&self) -> Option<Invariant> {
        self.broken.get()
    }

    /// Forgets what was broken.
    pub(crate) fn mend(&self) {
        self.broken.clear();
    }

    /// Has `invariant` fail where it is looked at next.
    #[cfg(CONFIG_FAULT_INJECTION)]
    pub(crate) fn provoke(&self, invariant: Invariant) {
        self.provoked.clear();
        self.provoked.fill(invariant);
    }
}

/// A breaker that takes the hooks away. Dropping it leaves them to others.
pub(crate) struct Armed(Arc<Shared>);

impl Armed {
    /// Lets the breaker of `shared` find `switch`.
    ///
    /// Context: process; sleeps.
    pub(crate) fn new(shared: Arc<Shared>, switch: Arc<Switch>) -> Result<Self> {
        let switch = KBox::new(switch, GFP_KERNEL)?;

        shared.breaker.switch.replace(Some(switch));
        Ok(Self(shared))
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.0.breaker.switch.replace(None);
    }
}

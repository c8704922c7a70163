// SPDX-License-Identifier: GPL-2.0

//! The rules that are enabled, as the packet path reads them.
//!
//! [`Rules`] is what the control plane changes: each change builds a new [`RuleSet`] and puts it in
//! place of the old one, so that a packet meets either the rules before the change or those after it.
//! What belongs to a rule and not to a set, its counters and its token bucket, is in a [`RuleState`]
//! that sets share.

use core::{
    fmt,
    sync::atomic::{
        AtomicBool,
        AtomicU64,
        Ordering, //
    },
};

use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    },
};

use knet::{
    cell::TryCell,
    context::RxContext,
    percpu::PerCpu,
    rcu::RcuCell,
    reclaim::Reclaimer, //
};

use crate::classify::{
    bucket::{
        Bucket,
        Local, //
    },
    rule::{
        Class,
        Rate,
        Rule, //
    },
    table::{
        self,
        Entry,
        Group,
        Plan,
        Slot,
        Table, //
    },
    Flow, //
};

/// How long a rule whose rate is exceeded admits nothing more on that CPU, in ns. A flow around its
/// rate then changes ways some hundred times a second at most, and not from packet to packet, which
/// would put it out of order all the time. The tokens of that time are not lost.
const EXCEEDED_NS: u64 = 2_000_000;

/// How many sets that were replaced may wait to be freed.
const SETS_MAX: usize = 32;

/// How many seeds are tried for a table. One is enough but for a chance of nearly zero.
const SEEDS: u32 = 4;

/// What a rule says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The class to serve the packet in.
    pub(crate) class: Class,
    /// Whether that is a lower class than the rule's, because its rate is exceeded.
    pub(crate) demoted: bool,
}

/// What belongs to a rule for as long as its directory exists.
pub(crate) struct RuleState {
    cpus: PerCpu<CpuState>,
    /// Set where a rule is gone but still in the set that packets meet.
    is_withdrawn: AtomicBool,
    bucket: SharedBucket,
}

/// A bucket alone in its cache line, as CPUs write it while they read the rest.
#[repr(align(64))]
struct SharedBucket(Bucket);

/// A CPU's part of the state of a rule. Only that CPU writes it.
#[derive(Default)]
struct CpuState {
    packets: AtomicU64,
    bytes: AtomicU64,
    tokens: TryCell<Local>,
    /// Until when, in ns, the rate admits nothing.
    exceeded_until: AtomicU64,
}

impl RuleState {
    /// The state of a new rule.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                cpus: PerCpu::new()?,
                is_withdrawn: AtomicBool::new(false),
                bucket: SharedBucket(Bucket::new()),
            },
            GFP_KERNEL,
        )?)
    }

    /// How many packets the rule has named.
    pub(crate) fn packets(&self) -> u64 {
        self.sum(|cpu| &cpu.packets)
    }

    /// How many bytes these had.
    pub(crate) fn bytes(&self) -> u64 {
        self.sum(|cpu| &cpu.bytes)
    }

    fn sum(&self, counter: impl Fn(&CpuState) -> &AtomicU64) -> u64 {
        self.cpus
            .iter()
            .map(|cpu| counter(cpu).load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }

    #[inline]
    fn count(&self, cx: &RxContext<'_>, bytes: u32) {
        let cpu = self.cpus.get(cx);

        add(&cpu.packets, 1);
        add(&cpu.bytes, bytes.into());
    }

    /// Whether `rate` admits one more packet.
    #[inline]
    fn admits(&self, cx: &RxContext<'_>, rate: Rate) -> bool {
        if rate == Rate::UNLIMITED {
            return true;
        }
        let cpu = self.cpus.get(cx);
        let now = knet::time::now_ns();
        if now < cpu.exceeded_until.load(Ordering::Relaxed) {
            return false;
        }

        let take = |tokens: &mut Local| self.bucket.0.take(tokens, rate, now);
        let admitted = cpu.tokens.try_with(take).unwrap_or(false);
        if !admitted {
            let until = now.saturating_add(EXCEEDED_NS);

            cpu.exceeded_until.store(until, Ordering::Relaxed);
        }
        admitted
    }
}

/// Adds to a counter that no other CPU writes.
#[inline]
fn add(counter: &AtomicU64, value: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(value);

    counter.store(sum, Ordering::Relaxed);
}

/// An enabled rule.
pub(crate) struct Live {
    name: CString,
    rule: Rule,
    state: Arc<RuleState>,
}

/// What becomes of the packets of a rule.
struct Action {
    class: Class,
    rate: Rate,
    state: Arc<RuleState>,
}

/// Enabled rules, fit for lookup.
pub(crate) struct RuleSet {
    table: Table<KVVec<Group>, KVVec<Slot>, KVVec<Entry>>,
    actions: KVVec<Action>,
}

impl RuleSet {
    /// The set of `rules`, of which the first is preferred among equally specific ones.
    ///
    /// Context: process; may sleep.
    fn new(rules: &[Live]) -> Result<KBox<Self>, BuildError> {
        let matches = rules.iter().map(|live| &live.rule.flows);
        let mut actions = KVVec::with_capacity(rules.len(), GFP_KERNEL)?;

        for Live { rule, state, .. } in rules {
            let action = Action {
                class: rule.class,
                rate: rule.rate,
                state: state.clone(),
            };
            actions.push(action, GFP_KERNEL)?;
        }

        for _ in 0..SEEDS {
            let plan = Plan::of(matches.clone())?;
            let built = Table::build(
                matches.clone(),
                knet::random_u64(),
                KVVec::from_elem(Group::UNUSED, plan.groups(), GFP_KERNEL)?,
                KVVec::from_elem(Slot::EMPTY, plan.slots(), GFP_KERNEL)?,
                KVVec::from_elem(Entry::UNUSED, plan.entries(), GFP_KERNEL)?,
            );
            match built {
                Err(table::Error::Seed) => {}
                table => {
                    let table = table?;
                    return Ok(KBox::new(Self { table, actions }, GFP_KERNEL)?);
                }
            }
        }
        Err(table::Error::Seed.into())
    }

    /// Looks up the rule that names `flow`, counts a packet of `bytes` for it and tells what becomes
    /// of the packet. `None` for a flow that no rule names.
    #[inline]
    pub(crate) fn classify(&self, cx: &RxContext<'_>, flow: &Flow, bytes: u32) -> Option<Verdict> {
        let action = self.actions.get(self.table.lookup(flow)?)?;
        let state = &*action.state;
        if state.is_withdrawn.load(Ordering::Relaxed) {
            return None;
        }

        state.count(cx, bytes);
        if state.admits(cx, action.rate) {
            return Some(Verdict {
                class: action.class,
                demoted: false,
            });
        }
        // Classes are ordered from high to low: a rule below normal stays where it is.
        let class = action.class.max(Class::Normal);
        Some(Verdict {
            class,
            demoted: class != action.class,
        })
    }
}

/// Why rules cannot be made effective.
#[derive(Debug)]
pub(crate) enum BuildError {
    /// The kernel has no memory for them.
    Memory,
    /// They cannot be put into a table.
    Table(table::Error),
    /// The packet path cannot be hooked.
    Hooks(Error),
}

impl BuildError {
    /// The errno for the write that asked for it.
    pub(crate) fn errno(&self) -> Error {
        match self {
            Self::Memory | Self::Table(table::Error::Memory) => ENOMEM,
            Self::Table(table::Error::Rule(_)) => EINVAL,
            Self::Table(table::Error::TooLarge | table::Error::TooManyShapes) => E2BIG,
            Self::Table(table::Error::Seed) => EAGAIN,
            Self::Hooks(error) => *error,
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("out of memory"),
            Self::Table(error) => error.fmt(f),
            Self::Hooks(error) => write!(f, "the packet path cannot be hooked: {error:?}"),
        }
    }
}

impl From<kernel::alloc::AllocError> for BuildError {
    fn from(_: kernel::alloc::AllocError) -> Self {
        Self::Memory
    }
}

impl From<table::Error> for BuildError {
    fn from(error: table::Error) -> Self {
        Self::Table(error)
    }
}

/// The enabled rules, as the control plane changes them and the packet path reads them.
#[pin_data]
pub(crate) struct Rules {
    current: RcuCell<RuleSet>,
    #[pin]
    reclaimer: Reclaimer<RuleSet>,
    /// Sorted by name.
    #[pin]
    live: Mutex<KVec<Live>>,
}

impl Rules {
    /// No rules.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                current: RcuCell::new(),
                reclaimer <- Reclaimer::new(SETS_MAX),
                live <- new_mutex!(KVec::new()),
            }),
            GFP_KERNEL,
        )
    }

    /// The set in force. `None` where no rule is enabled.
    #[inline]
    pub(crate) fn read<'a>(&'a self, cx: &RxContext<'a>) -> Option<&'a RuleSet> {
        self.current.read(cx)
    }

    /// Whether no rule is enabled.
    ///
    /// Context: process; may sleep.
    pub(crate) fn is_empty(&self) -> bool {
        self.live.lock().is_empty()
    }

    /// Makes a rule effective: packets that arrive after this returns meet it.
    ///
    /// Context: process; may sleep.
    ///
    /// # Errors
    ///
    /// The rules in force stay as they are.
    pub(crate) fn enable(
        &self,
        name: &CStr,
        rule: &Rule,
        state: &Arc<RuleState>,
    ) -> Result<(), BuildError> {
        let mut live = self.live.lock();
        let place = live
            .binary_search_by(|other| name_of(other).cmp(name.to_bytes()))
            .unwrap_or_else(|place| place);

        live.reserve(1, GFP_KERNEL)?;
        let added = Live {
            name: CString::try_from(name)?,
            rule: *rule,
            state: state.clone(),
        };
        if live.insert_within_capacity(place, added).is_err() {
            return Err(BuildError::Memory);
        }

        self.publish(&live).inspect_err(|_| {
            let _ = live.remove(place);
        })
    }

    /// Withdraws a rule: packets that arrive after this returns do not meet it.
    ///
    /// Where there is no memory to build the set without it, the old set stays in place with the rule
    /// blind, that is, flows it names meet no rule until the next change of any rule. So it cannot
    /// fail.
    ///
    /// Context: process; may sleep.
    pub(crate) fn disable(&self, name: &CStr) {
        let mut live = self.live.lock();
        let Ok(place) = live.binary_search_by(|other| name_of(other).cmp(name.to_bytes())) else {
            return;
        };
        let Ok(removed) = live.remove(place) else {
            return;
        };

        if let Err(error) = self.publish(&live) {
            removed.state.is_withdrawn.store(true, Ordering::Relaxed);
            pr_warn!(
                "rules: a set without one rule is not built, the rule is blinded: {}\n",
                format_args!("{error}")
            );
        }
    }

    /// Puts the set of `live` rules in force.
    fn publish(&self, live: &[Live]) -> Result<(), BuildError> {
        let set = if live.is_empty() {
            None
        } else {
            Some(RuleSet::new(live)?)
        };

        let old = self.current.swap(set);
        for rule in live {
            rule.state.is_withdrawn.store(false, Ordering::Relaxed);
        }
        self.reclaimer.defer(old);
        Ok(())
    }
}

fn name_of(live: &Live) -> &[u8] {
    live.name.to_bytes()
}

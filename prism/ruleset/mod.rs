// SPDX-License-Identifier: GPL-2.0

//! The rules that are enabled, as the control plane changes them.
//!
//! Each change is one store for the packet path, so that a packet meets either the rules before the
//! change or those after it: a new [`RuleSet`], a new layer in it, or the end of a rule's term. Which
//! of these is a matter of cost; see [`layers`].

mod set;
mod state;

use core::{
    mem,
    slice,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    }, //
};

use kernel::{
    alloc::AllocError,
    new_mutex,
    prelude::*,
    static_lock_class,
    sync::{
        Arc,
        Mutex, //
    },
};

use knet::{
    context::{
        with_rx_context,
        RxContext, //
    },
    rcu::RcuCell,
    reclaim::Reclaimer,
    work::{
        Run,
        Work, //
    },
};

use crate::classify::{
    layers::{
        self,
        merge, //
    },
    Flow,
    Rule, //
};
use crate::settings::while_changing;

use self::set::{
    Layer,
    Live, //
};

pub(crate) use self::{
    set::{
        Action,
        BuildError,
        Pending,
        RuleId,
        RuleSet,
        Verdict, //
    },
    state::RuleState,
};

/// For how long a change may be pending, that is, cost packets a second lookup, in milliseconds.
const PENDING_MS: u32 = 200;

/// How many sets may wait to be freed, each of which may be large.
const SETS_MAX: usize = 32;
/// How many layers of recent rules may, which are small.
const LAYERS_MAX: usize = 256;

/// The enabled rules.
#[pin_data]
pub(crate) struct Rules {
    #[pin]
    settle: Work<State>,
}

#[pin_data]
struct State {
    current: RcuCell<RuleSet>,
    /// How many rules were withdrawn: counted before a rule's term ends.
    withdrawals: AtomicU64,
    #[pin]
    sets: Reclaimer<RuleSet>,
    #[pin]
    layers: Reclaimer<Layer>,
    #[pin]
    lists: Mutex<Lists>,
}

/// What is in the layers of the set in force, with rules that are withdrawn; each sorted by name.
struct Lists {
    old: KVVec<Arc<Live>>,
    recent: KVVec<Arc<Live>>,
    /// How many rules are not withdrawn.
    enabled: usize,
    /// Whether the times of their packets are measured.
    are_measured: bool,
}

impl Lists {
    /// How many rules came or went since all were in one layer.
    fn pending(&self) -> usize {
        let all = self.old.len().saturating_add(self.recent.len());
        let withdrawn = all.saturating_sub(self.enabled);

        self.recent.len().saturating_add(withdrawn)
    }
}

impl Rules {
    /// No rules.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let state = try_pin_init!(State {
            current: RcuCell::new(),
            withdrawals: AtomicU64::new(0),
            sets <- Reclaimer::new(SETS_MAX),
            layers <- Reclaimer::new(LAYERS_MAX),
            lists <- new_mutex!(Lists {
                old: KVVec::new(),
                recent: KVVec::new(),
                enabled: 0,
                are_measured: false,
            }),
        });

        Arc::pin_init(
            try_pin_init!(Self {
                settle <- Work::new(state, static_lock_class!()),
            }),
            GFP_KERNEL,
        )
    }

    /// The set in force. `None` where no rule is enabled.
    #[inline]
    pub(crate) fn read<'a>(&'a self, cx: &RxContext<'a>) -> Option<&'a RuleSet> {
        self.settle.target().current.read(cx)
    }

    /// The rule that names `flow`, where the set that was [`read`](Self::read) finds changes pending.
    ///
    /// That a rule is withdrawn may be seen after the layers were read, and a rule that came in its
    /// place before that is not in these. So they are read again where a rule was withdrawn meanwhile.
    #[cold]
    pub(crate) fn find<'a>(&'a self, cx: &RxContext<'a>, flow: &Flow) -> Option<&'a Action> {
        let state = self.settle.target();

        loop {
            let withdrawals = state.withdrawals.load(Ordering::Acquire);
            let found = self.read(cx).and_then(|set| set.find_live(cx, flow));
            if state.withdrawals.load(Ordering::Acquire) == withdrawals {
                return found;
            }
        }
    }

    /// Whether no rule is enabled.
    ///
    /// Context: process; may sleep.
    pub(crate) fn is_empty(&self) -> bool {
        self.settle.target().lists.lock().enabled == 0
    }

    /// Has the times of the packets of each rule measured, also of those that come, or no more.
    ///
    /// Context: process; may sleep.
    ///
    /// # Errors
    ///
    /// There is no memory. It is as if this was not called.
    pub(crate) fn measure(&self, is_on: bool) -> Result<(), AllocError> {
        let mut lists = self.settle.target().lists.lock();

        if is_on {
            merge(&lists.old, &lists.recent).try_for_each(|live| live.state().measure())?;
        }
        lists.are_measured = is_on;
        Ok(())
    }

    /// Calls `f` with the state of each enabled rule, ordered by name.
    ///
    /// Context: process; may sleep.
    pub(crate) fn each<E>(&self, f: impl FnMut(&RuleState) -> Result<(), E>) -> Result<(), E> {
        let lists = self.settle.target().lists.lock();
        let mut states = merge(&lists.old, &lists.recent).map(|live| live.state());

        states.try_for_each(f)
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
        let this = self.settle.target();
        let mut lists = this.lists.lock();
        let live = Live::new(name, rule, state, &lists.old)?;

        if lists.are_measured {
            state.measure()?;
        }
        state.begin(rule.rate);
        let recent = merged(&lists.recent, slice::from_ref(&live))?;
        let enabled = lists.enabled.saturating_add(1);
        let pending = lists.pending().saturating_add(1);

        if !layers::is_due(enabled, pending) && this.extend(&recent)? {
            lists.recent = recent;
            self.settle.queue(PENDING_MS);
        } else {
            this.rebuild(&mut lists, &recent)?;
        }
        lists.enabled = enabled;
        Ok(())
    }

    /// Withdraws an enabled rule: packets that arrive after this returns do not meet it.
    ///
    /// Context: process; may sleep.
    pub(crate) fn disable(&self, state: &RuleState) {
        let this = self.settle.target();
        let mut lists = this.lists.lock();

        this.withdrawals.fetch_add(1, Ordering::Release);
        while_changing(|| state.withdraw());
        lists.enabled = lists.enabled.saturating_sub(1);
        // Where it fails, the layers hold what is withdrawn for longer.
        if !layers::is_due(lists.enabled, lists.pending()) || this.settle(&mut lists).is_err() {
            self.settle.queue(PENDING_MS);
        }
    }
}

impl State {
    /// Puts a layer of the `recent` rules in force, if they fit with the old ones.
    fn extend(&self, recent: &[Arc<Live>]) -> Result<bool, BuildError> {
        let mut layer = Some(KBox::new(Layer::new(recent)?, GFP_KERNEL)?);
        let replaced = with_rx_context(|cx| {
            let set = self.current.read(&cx)?;
            let fits = set.old.fits_with(layer.as_ref()?);

            fits.then(|| while_changing(|| set.recent.swap(layer.take())))
        });

        let fits = replaced.is_some();
        if let Some(replaced) = replaced {
            self.layers.defer(replaced);
        }
        Ok(fits)
    }

    /// Puts a set of one layer in force, with the old and these `recent` rules.
    fn rebuild(&self, lists: &mut Lists, recent: &[Arc<Live>]) -> Result<(), BuildError> {
        let all = merged(&lists.old, recent)?;
        let set = if all.is_empty() {
            None
        } else {
            Some(RuleSet::new(&all)?)
        };

        let replaced = while_changing(|| self.current.swap(set));

        self.sets.defer(replaced);
        lists.old = all;
        lists.recent = KVVec::new();
        Ok(())
    }

    /// Takes in what is pending.
    fn settle(&self, lists: &mut Lists) -> Result<(), BuildError> {
        let recent = mem::take(&mut lists.recent);

        self.rebuild(lists, &recent)
            .inspect_err(|_| lists.recent = recent)
    }
}

impl Run for State {
    /// Settles. Where that fails, the next change brings it here again.
    fn run(&self) -> Option<u32> {
        let mut lists = self.lists.lock();

        if lists.pending() != 0 {
            let _ = self.settle(&mut lists);
        }
        None
    }
}

/// The rules of two lists, less the withdrawn ones.
fn merged(old: &[Arc<Live>], recent: &[Arc<Live>]) -> Result<KVVec<Arc<Live>>, AllocError> {
    let most = old.len().saturating_add(recent.len());
    let mut list = KVVec::with_capacity(most, GFP_KERNEL)?;

    for live in merge(old, recent) {
        list.push(live.clone(), GFP_KERNEL)?;
    }
    Ok(list)
}

// SPDX-License-Identifier: GPL-2.0

//! Enabled rules in tables, as the packet path reads them.

use core::{
    fmt,
    sync::atomic::{
        AtomicU32,
        Ordering, //
    },
};

use kernel::{
    prelude::*,
    str::CString,
    sync::Arc, //
};

use knet::{
    context::RxContext,
    rcu::RcuCell, //
};

use super::state::RuleState;

use crate::classify::{
    layers::{
        self,
        Found,
        Named, //
    },
    rule::{
        Class,
        Gro,
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

/// How many seeds are tried for a table. One is enough but for a chance of nearly zero.
const SEEDS: u32 = 4;

/// What a rule says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The class to serve the packet in.
    pub(crate) class: Class,
    /// The rule's own, which is higher where its rate is exceeded.
    pub(crate) own: Class,
    /// Whether it is merged if the class is `high`.
    pub(crate) gro: Gro,
}

impl Verdict {
    /// Of a packet for which there is no rule.
    pub(crate) const NONE: Self = Self {
        class: Class::Normal,
        own: Class::Normal,
        gro: Gro::Bypass,
    };
}

/// A rule that was enabled.
pub(super) struct Live {
    name: CString,
    rule: Rule,
    state: Arc<RuleState>,
    /// The state's term for which it is enabled.
    term: u32,
    /// How many rules came before it by name in the large table when it was enabled.
    place: usize,
}

impl Live {
    /// A rule that is enabled beside the rules of `old`, which are in the large table.
    pub(super) fn new(
        name: &CStr,
        rule: &Rule,
        state: &Arc<RuleState>,
        old: &[Arc<Self>],
    ) -> Result<Arc<Self>, BuildError> {
        Ok(Arc::new(
            Self {
                name: CString::try_from(name)?,
                rule: *rule,
                state: state.clone(),
                term: state.term(),
                place: layers::place(old, name.to_bytes()),
            },
            GFP_KERNEL,
        )?)
    }
}

impl Live {
    /// What belongs to the rule also where it is not enabled.
    pub(super) fn state(&self) -> &RuleState {
        &self.state
    }
}

impl Named for Live {
    fn name(&self) -> &[u8] {
        self.name.to_bytes()
    }

    fn is_withdrawn(&self) -> bool {
        self.state.term() != self.term
    }
}

/// Which rule it is, for as long as it stays in the layer of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleId {
    /// Unlike that of any other layer, and not zero.
    pub(crate) layer: u32,
    pub(crate) index: u32,
}

/// What becomes of the packets of a rule.
pub(crate) struct Action {
    class: Class,
    rate: Rate,
    gro: Gro,
    state: Arc<RuleState>,
    term: u32,
    /// As in [`Live`].
    place: u32,
    id: RuleId,
}

impl Action {
    fn of(live: &Live, id: RuleId) -> Self {
        Self {
            class: live.rule.class,
            rate: live.rule.rate,
            gro: live.rule.gro,
            state: live.state.clone(),
            term: live.term,
            place: live.place as u32,
            id,
        }
    }

    /// What the rule is found by again with [`RuleSet::action`].
    pub(crate) fn id(&self) -> RuleId {
        self.id
    }

    /// What belongs to the rule whatever set it is in.
    pub(crate) fn state(&self) -> &RuleState {
        &self.state
    }

    #[inline]
    fn is_withdrawn(&self) -> bool {
        self.state.term() != self.term
    }

    /// The name of the rule.
    pub(crate) fn name(&self) -> &CStr {
        self.state.name()
    }

    /// Its rate; zero where it has none.
    pub(crate) fn packets_per_second(&self) -> u32 {
        self.rate.get()
    }

    /// Counts a packet of `bytes` and tells what becomes of it.
    #[inline]
    pub(crate) fn apply(&self, cx: &RxContext<'_>, bytes: u32) -> Verdict {
        self.state.count(cx, bytes);
        if self.state.admits(cx, self.rate) {
            return Verdict {
                class: self.class,
                own: self.class,
                gro: self.gro,
            };
        }
        Verdict {
            // Classes are ordered from high to low: a rule below normal stays where it is.
            class: self.class.max(Class::Normal),
            own: self.class,
            gro: self.gro,
        }
    }
}

/// Rules, fit for lookup.
pub(super) struct Layer {
    id: u32,
    table: Table<KVVec<Group>, KVVec<Slot>, KVVec<Entry>>,
    actions: KVVec<Action>,
}

impl Layer {
    /// The layer of `rules`, of which the first is preferred among equally specific ones.
    ///
    /// Context: process; may sleep.
    pub(super) fn new(rules: &[Arc<Live>]) -> Result<Self, BuildError> {
        static IDS: AtomicU32 = AtomicU32::new(1);
        let layer = IDS.fetch_add(1, Ordering::Relaxed);
        let matches = rules.iter().map(|live| &live.rule.flows);
        let mut actions = KVVec::with_capacity(rules.len(), GFP_KERNEL)?;
        for (index, live) in (0..).zip(rules) {
            actions.push(Action::of(live, RuleId { layer, index }), GFP_KERNEL)?;
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
                    return Ok(Self {
                        id: layer,
                        table,
                        actions,
                    });
                }
            }
        }
        Err(table::Error::Seed.into())
    }

    /// Whether the rules of both fit into one layer.
    pub(super) fn fits_with(&self, other: &Self) -> bool {
        self.table.fits_with(&other.table)
    }

    /// The rule with that id, if it is in this layer.
    fn action(&self, id: RuleId) -> Option<&Action> {
        let index = (id.layer == self.id).then_some(id.index as usize)?;

        self.actions.get(index)
    }

    /// The rule in force that names `flow`.
    fn find_live(&self, flow: &Flow) -> Option<table::Hit> {
        let is_live = |index| {
            let action: Option<&Action> = self.actions.get(index);
            action.is_some_and(|action| !action.is_withdrawn())
        };

        self.table.lookup_among(flow, is_live)
    }
}

/// Enabled rules: nearly all in one layer, and in another for a while those that came since.
pub(crate) struct RuleSet {
    pub(super) old: Layer,
    pub(super) recent: RcuCell<Layer>,
}

/// Changes are pending that may matter: to be looked up with [`Rules::find`](super::Rules::find).
pub(crate) struct Pending;

impl RuleSet {
    /// The set of `rules`, in one layer.
    ///
    /// Context: process; may sleep.
    pub(super) fn new(rules: &[Arc<Live>]) -> Result<KBox<Self>, BuildError> {
        let set = Self {
            old: Layer::new(rules)?,
            recent: RcuCell::new(),
        };

        Ok(KBox::new(set, GFP_KERNEL)?)
    }

    /// Which set it is. Numbers come again after four thousand million layers.
    #[inline]
    pub(crate) fn id(&self) -> u32 {
        self.old.id
    }

    /// The rule with that id, if it is in this set.
    pub(crate) fn action<'a>(&'a self, cx: &RxContext<'a>, id: RuleId) -> Option<&'a Action> {
        let recent = || self.recent.read(cx)?.action(id);

        self.old.action(id).or_else(recent)
    }

    /// The index of the rule that names `flow`, for [`RuleSet::rule`]. It stays the same.
    #[inline]
    pub(crate) fn lookup(&self, flow: &Flow) -> Option<usize> {
        self.old.table.lookup(flow)
    }

    /// The rule that [`RuleSet::lookup`] has found, unless changes are pending that may matter to it.
    #[inline]
    pub(crate) fn rule<'a>(
        &'a self,
        cx: &RxContext<'a>,
        found: Option<usize>,
    ) -> Result<Option<&'a Action>, Pending> {
        // Second, so that what a flow without a rule does not need is not read before.
        if self.recent.read(cx).is_some() {
            return Err(Pending);
        }

        match found.and_then(|index| self.old.actions.get(index)) {
            Some(action) if action.is_withdrawn() => Err(Pending),
            found => Ok(found),
        }
    }

    /// The rule that names `flow`, in either layer.
    pub(super) fn find_live<'a>(&'a self, cx: &RxContext<'a>, flow: &Flow) -> Option<&'a Action> {
        let recent = self.recent.read(cx);
        let action = |index: usize| recent?.actions.get(index);
        let place = |index| action(index).map_or(0, |action| action.place as usize);

        let hit = recent.and_then(|recent| recent.find_live(flow));
        match layers::preferred(self.old.find_live(flow), hit, place)? {
            Found::Old(index) => self.old.actions.get(index),
            Found::Recent(index) => action(index),
        }
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

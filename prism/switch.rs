// SPDX-License-Identifier: GPL-2.0

//! Decides when the hooks of the packet path are there: in a mode that wants them, while there are
//! rules. Without rules no packet pays for the module.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};
use knet::work::{
    Run,
    Work, //
};

use crate::{
    classify::Rule,
    datapath::Shared,
    devices::Selection,
    hooks::Hooks,
    ruleset::{
        BuildError,
        RuleState, //
    },
};

/// How long the hooks stay after the last rule, so that a rule that comes and goes does not make
/// them come and go with it. In milliseconds.
const LINGER_MS: u32 = 5_000;

/// What becomes of packets of class `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing: no hook is registered.
    Off,
    /// They run to completion through the kernel's own layers.
    Sync,
}

impl Mode {
    /// All modes.
    pub(crate) const ALL: [Self; 2] = [Self::Off, Self::Sync];

    /// The mode as a user writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Sync => "sync",
        }
    }

    /// The mode that a user wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == text)
    }
}

/// The mode and the hooks that it comes to.
#[pin_data]
pub(crate) struct Switch {
    #[pin]
    unused: Work<State>,
}

#[pin_data]
struct State {
    shared: Arc<Shared>,
    #[pin]
    current: Mutex<Current>,
}

struct Current {
    mode: Mode,
    hooks: Option<Hooks>,
}

impl Switch {
    /// Mode `off`.
    ///
    /// Context: process.
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Arc<Self>> {
        let state = try_pin_init!(State {
            shared,
            current <- new_mutex!(Current {
                mode: Mode::Off,
                hooks: None,
            }),
        });

        Arc::pin_init(
            try_pin_init!(Self {
                unused <- Work::new(state),
            }),
            GFP_KERNEL,
        )
    }

    /// The mode in force.
    pub(crate) fn mode(&self) -> Mode {
        self.state().current.lock().mode
    }

    /// Changes the mode. When this returns, mode `off` has no hook any more, and any other mode has
    /// all of them if there is a rule.
    ///
    /// Context: process; sleeps, takes the RTNL.
    ///
    /// # Errors
    ///
    /// Those of [`Hooks::start`], with the old mode in force.
    pub(crate) fn set_mode(&self, mode: Mode) -> Result {
        let state = self.state();
        let mut current = state.current.lock();
        let old = current.mode;

        current.mode = mode;
        state
            .settle(&mut current)
            .inspect_err(|_| current.mode = old)
    }

    /// Enables a rule: packets that arrive after this returns meet it, if the mode is not `off`.
    ///
    /// Context: process; may sleep, may take the RTNL.
    ///
    /// # Errors
    ///
    /// The rule is not enabled; those that are stay so.
    pub(crate) fn enable(
        &self,
        name: &CStr,
        rule: &Rule,
        rule_state: &Arc<RuleState>,
    ) -> Result<(), BuildError> {
        let state = self.state();

        state.shared.rules.enable(name, rule, rule_state)?;
        state
            .settle(&mut state.current.lock())
            .inspect_err(|_| state.shared.rules.disable(rule_state))
            .map_err(BuildError::Hooks)
    }

    /// Disables an enabled rule: packets that arrive after this returns do not meet it.
    ///
    /// Context: process; may sleep.
    pub(crate) fn disable(&self, rule_state: &RuleState) {
        let rules = &self.state().shared.rules;

        rules.disable(rule_state);
        if rules.is_empty() {
            self.unused.queue(LINGER_MS);
        }
    }

    /// Changes the entry devices.
    ///
    /// Context: process; sleeps, takes the RTNL.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, with the old choice in force.
    pub(crate) fn select_devices(&self, selection: Selection) -> Result {
        let state = self.state();
        let current = state.current.lock();

        state.shared.devices.select(selection)?;
        if let Some(hooks) = &current.hooks {
            hooks.devices_changed();
        }
        Ok(())
    }

    fn state(&self) -> &State {
        self.unused.target()
    }
}

impl State {
    /// Makes the hooks those that the mode and the rules ask for, but leaves them where only the
    /// rules are gone.
    fn settle(&self, current: &mut Current) -> Result {
        if current.mode == Mode::Off {
            current.hooks = None;
        } else if current.hooks.is_none() && !self.shared.rules.is_empty() {
            current.hooks = Some(Hooks::start(self.shared.clone())?);
        }
        Ok(())
    }
}

impl Run for State {
    /// Takes the hooks away if there still is no rule.
    fn run(&self) {
        let mut current = self.current.lock();

        if self.shared.rules.is_empty() {
            current.hooks = None;
        }
    }
}

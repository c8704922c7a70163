// SPDX-License-Identifier: GPL-2.0

//! Decides when the hooks of the packet path are there: in a mode that wants them, while there are
//! rules. Without rules no packet pays for the module.

use kernel::{
    new_mutex,
    prelude::*,
    static_lock_class,
    sync::{
        Arc,
        Mutex, //
    },
};
use knet::{
    netdev,
    work::{
        Run,
        Work, //
    }, //
};

use crate::{
    classify::Rule,
    datapath::Shared,
    devices::{
        Choice,
        Selection, //
    },
    hooks::Hooks,
    ruleset::{
        BuildError,
        RuleState, //
    },
    settings::{
        self,
        Mode, //
    },
};

/// How long the hooks stay after the last rule, so that a rule that comes and goes does not make
/// them come and go with it. In milliseconds.
const LINGER_MS: u32 = 5_000;

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
    /// Whether what is not of class `high` waits.
    isolate: bool,
    hooks: Option<Hooks>,
}

impl Current {
    /// Whether there is something to do for packets.
    fn wants_hooks(&self) -> bool {
        self.mode != Mode::Off || self.isolate
    }
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
                isolate: false,
                hooks: None,
            }),
        });

        Arc::pin_init(
            try_pin_init!(Self {
                unused <- Work::new(state, static_lock_class!()),
            }),
            GFP_KERNEL,
        )
    }

    /// The mode in force.
    pub(crate) fn mode(&self) -> Mode {
        self.state().current.lock().mode
    }

    /// Changes the mode. When this returns, the mode is in force for all packets that arrive, and where
    /// there is nothing to do for packets there is no hook any more.
    ///
    /// Context: process; sleeps, takes the RTNL.
    ///
    /// # Errors
    ///
    /// Those of [`Hooks::start`], with the old mode in force; `EIO` while something is broken.
    pub(crate) fn set_mode(&self, mode: Mode) -> Result {
        self.change(|current| current.mode = mode)
    }

    /// Whether what is not of class `high` waits.
    pub(crate) fn isolates(&self) -> bool {
        self.state().current.lock().isolate
    }

    /// Turns isolation on or off. When this returns and it is off, what waited for it is gone.
    ///
    /// Context: process; sleeps, takes the RTNL.
    ///
    /// # Errors
    ///
    /// Those of [`Hooks::start`], with the old setting in force; `EIO` while something is broken.
    pub(crate) fn set_isolate(&self, isolate: bool) -> Result {
        self.change(|current| current.isolate = isolate)
    }

    fn change(&self, change: impl FnOnce(&mut Current)) -> Result {
        let state = self.state();
        let mut current = state.current.lock();
        let (mode, isolate) = (current.mode, current.isolate);

        change(&mut current);
        if current.wants_hooks() && state.shared.breaker.broken().is_some() {
            current.mode = mode;
            current.isolate = isolate;
            return Err(EIO);
        }
        state.settle(&mut current).inspect_err(|_| {
            current.mode = mode;
            current.isolate = isolate;
        })
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

        netdev::with_rtnl(|rtnl| {
            let choice = Choice::new(selection, rtnl)?;

            if let Some(hooks) = &current.hooks {
                hooks.prepare(&choice, rtnl)?;
            }
            state.shared.devices.adopt(choice, rtnl);
            if let Some(hooks) = &current.hooks {
                hooks.devices_changed(rtnl);
            }
            Ok(())
        })
    }

    /// Takes the hooks away, as the breaker has turned the module off.
    ///
    /// Context: any.
    pub(crate) fn follow_breaker(&self) {
        self.unused.hasten();
    }

    fn state(&self) -> &State {
        self.unused.target()
    }
}

impl State {
    /// Makes the hooks those that the settings and the rules ask for, but leaves them where only the
    /// rules are gone. While there are none, the settings in force send all packets the kernel's way, so that
    /// none waits for hooks that may not come.
    fn settle(&self, current: &mut Current) -> Result {
        if !current.wants_hooks() {
            current.hooks = None;
        } else if current.hooks.is_none() && !self.shared.rules.is_empty() {
            current.hooks = Some(Hooks::start(self.shared.clone())?);
        }

        if current.hooks.is_some() {
            let was_isolated = settings::current().isolates();

            settings::set_mode(current.mode, current.isolate);
            if was_isolated && !current.isolate {
                self.shared.isolation.drain();
            }
        }
        Ok(())
    }
}

impl Run for State {
    /// Takes the hooks away if there still is no rule, or something is broken.
    fn run(&self) -> Option<u32> {
        let mut current = self.current.lock();
        let is_broken = self.shared.breaker.broken().is_some();

        if is_broken {
            current.mode = Mode::Off;
            current.isolate = false;
        }
        if is_broken || self.shared.rules.is_empty() {
            current.hooks = None;
        }
        None
    }
}

// SPDX-License-Identifier: GPL-2.0

use proptest::prelude::*;

use super::*;
use crate::{
    fake::Fake,
    file::tests::state as any_state,
    knob::KNOBS, //
};

/// A state, and another one: of its rules some stay, and some are otherwise; and some knobs are turned. Of the
/// devices that were chosen none may be there.
fn two() -> impl Strategy<Value = (State, State)> {
    let devices = |names| prop::sample::select::<&str>(names);
    let turned = (
        any::<bool>(),
        1u32..64,
        devices(vec!["auto", "eth0", ""]),
        devices(vec!["auto", "eth1"]),
    );
    let kept = prop::collection::vec(0..3, 8);

    (any_state(), any_state(), kept, turned).prop_map(|(mut now, mut wanted, kept, turned)| {
        let others: Vec<_> = wanted.rules.values().copied().collect();
        let mut others = others.into_iter().cycle();

        for ((name, rule), what) in now.rules.iter().zip(kept) {
            let rule = match what {
                0 => continue,
                1 => *rule,
                _ => others.next().unwrap_or(*rule),
            };

            wanted.rules.insert(name.clone(), rule);
        }
        wanted
            .knobs
            .insert("isolate", u8::from(turned.0).to_string());
        wanted.knobs.insert("quantum", turned.1.to_string());
        now.knobs.insert("devices", turned.2.to_owned());
        wanted.knobs.insert("devices", turned.3.to_owned());
        (now, wanted)
    })
}

fn state(text: &str) -> State {
    let mut state: State = text.parse().unwrap();

    for knob in &KNOBS {
        state
            .knobs
            .entry(knob.name)
            .or_insert_with(|| knob.default.to_owned());
    }
    state
}

#[test]
fn a_plan_is_shown() {
    let now = state("[rules.a]\nvni = 1\n[rules.b]\nvni = 2\n[rules.c]\nvni = 3\n");
    let wanted = "mode = 'sync'\nisolate = 1\n[rules.a]\nvni = 1\nrate = 9\n[rules.c]\nvni = 3\n[rules.d]\nvni = 4\nenabled = false\n"
        .parse()
        .unwrap();
    let plan = Plan::new(&now, &wanted, |_| false);

    assert_eq!(
        plan.to_string(),
        "- rule b vni=2 class=high\n\
         - rule a vni=1 class=high\n\
         + rule a vni=1 class=high rate=9\n\
         + rule d vni=4 class=high (disabled)\n\
         - isolate=0\n\
         + isolate=1\n\
         - mode=off\n\
         + mode=sync\n"
    );
}

#[test]
fn what_makes_room_comes_before_what_takes_it() {
    let now =
        state("[rules.b]\nvni = 1\n[rules.c]\nvni = 2\n[rules.d]\nvni = 3\nenabled = false\n");
    let wanted = "[rules.a]\nvni = 4\n[rules.c]\nvni = 2\nenabled = false\n[rules.d]\nvni = 3\n"
        .parse()
        .unwrap();

    assert_eq!(
        Plan::new(&now, &wanted, |_| false).to_string(),
        "- rule b vni=1 class=high\n\
         - rule c vni=2 class=high\n\
         + rule c vni=2 class=high (disabled)\n\
         + rule a vni=4 class=high\n\
         - rule d vni=3 class=high (disabled)\n\
         + rule d vni=3 class=high\n"
    );
}

#[test]
fn devices_come_first() {
    let wanted = "devices = 'eth0'\nmode = 'sync'\n".parse().unwrap();
    let plan = Plan::new(&state("[rules.a]\nvni = 1\n"), &wanted, |_| false);

    assert_eq!(
        plan.to_string(),
        "- devices=auto\n+ devices=eth0\n- rule a vni=1 class=high\n- mode=off\n+ mode=sync\n"
    );
}

#[test]
fn they_come_last_where_there_is_no_way_back() {
    let mut now = state("");
    let wanted = "devices = 'eth0'\nmode = 'sync'\n".parse().unwrap();

    now.knobs.insert("devices", String::new());
    assert_eq!(
        Plan::new(&now, &wanted, |_| false).to_string(),
        "- mode=off\n+ mode=sync\n- devices=\n+ devices=eth0\n"
    );
}

#[test]
fn devices_that_are_wanted_by_name_are_chosen_whatever_is_shown() {
    let now = state("devices = 'eth0'\n");
    let calls = |wanted: &str| {
        let plan = Plan::new(&now, &wanted.parse().unwrap(), |_| false);
        let target = Fake::new(&now, usize::MAX);

        assert!(plan.is_empty());
        assert_eq!(plan.to_string(), "");
        plan.carry_out(&target).unwrap();
        target.calls()
    };

    assert_eq!(calls("devices = 'eth0'\n"), 1);
    assert_eq!(calls("isolate = false\n"), 0);
}

#[test]
fn rules_of_others_stay() {
    let now = state("[rules.a]\nvni = 1\n[rules.'docker:b']\nvni = 2\n");
    let plan = Plan::new(&now, &State::default(), crate::is_of_daemon);

    assert_eq!(plan.to_string(), "- rule a vni=1 class=high\n");
}

#[test]
fn what_cannot_be_undone_is_told() {
    // Making the second rule fails, and then removing the first.
    struct Stubborn(Fake);
    impl Target for Stubborn {
        fn state(&self) -> Result<State, Error> {
            self.0.state()
        }
        fn names(&self) -> Result<Vec<String>, Error> {
            self.0.names()
        }
        fn rule(&self, name: &str) -> Result<Rule, Error> {
            self.0.rule(name)
        }
        fn make(&self, name: &str) -> Result<(), Error> {
            self.0.make(name)
        }
        fn remove(&self, name: &str) -> Result<(), Error> {
            Err(Error::NoRule(name.to_owned()))
        }
        fn set(&self, name: &str, field: Field, text: &str) -> Result<(), Error> {
            self.0.set(name, field, text)
        }
        fn enable(&self, name: &str, is_enabled: bool) -> Result<(), Error> {
            self.0.enable(name, is_enabled)
        }
        fn turn(&self, knob: &Knob, text: &str) -> Result<(), Error> {
            self.0.turn(knob, text)
        }
    }
    let wanted = "[rules.a]\nvni = 1\n[rules.b]\nvni = 2\n".parse().unwrap();
    let plan = Plan::new(&State::default(), &wanted, |_| false);
    // Three calls make a rule.
    let target = Stubborn(Fake::new(&State::default(), 3));

    let failure = plan.carry_out(&target).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "make: no memory; and what had been done could not be undone: there is no rule a"
    );
}

proptest! {
    #[test]
    fn what_is_wanted_comes_about((now, wanted) in two()) {
        let target = Fake::new(&now, usize::MAX);

        Plan::new(&now, &wanted, |_| false).carry_out(&target).unwrap();
        prop_assert_eq!(target.state().unwrap(), wanted);
    }

    #[test]
    fn nothing_is_left_of_what_fails((now, wanted) in two()) {
        let plan = Plan::new(&now, &wanted, |_| false);
        let all = Fake::new(&now, usize::MAX);

        plan.carry_out(&all).unwrap();
        for until in 0..all.calls() {
            let target = Fake::new(&now, until);
            let failure = plan.carry_out(&target).unwrap_err();

            prop_assert!(matches!(failure, Failure::Undone(_)), "{failure}");
            prop_assert_eq!(&target.state().unwrap(), &now, "after {} calls", until);
        }
    }

    #[test]
    fn there_is_nothing_to_do_twice(state in any_state()) {
        prop_assert!(Plan::new(&state, &state, |_| false).is_empty());
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Whatever happens, in the end the rules are those of the containers that run.

use std::collections::{
    BTreeMap,
    BTreeSet, //
};

use fake_docker::Trouble;
use proptest::prelude::*;

use super::world::{
    container,
    id,
    World, //
};

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    /// A container starts, with a class, or none, or a bad one.
    Run(u32, Option<&'static str>),
    /// A container stops.
    Stop(u32),
    /// A container joins another network.
    Connect(u32),
    /// It leaves that.
    Disconnect(u32),
    /// The engine has trouble to tell of a container.
    Trouble(u32, Trouble),
    /// It has none any longer.
    Recover(u32),
    /// The engine goes.
    Down,
    /// It comes back.
    Up,
    /// The daemon is stopped and started.
    Restart,
    /// The module is unloaded, with all rules.
    Unload,
    /// It is loaded.
    Load,
    /// Time passes.
    Wait,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let number = || 1..6u32;
    let class = prop_oneof![
        4 => Just(Some("high")),
        1 => Just(Some("bulk")),
        1 => Just(Some("nonsense")),
        1 => Just(None),
    ];

    prop_oneof![
        8 => (number(), class).prop_map(|(number, class)| Run(number, class)),
        6 => number().prop_map(Stop),
        3 => number().prop_map(Connect),
        2 => number().prop_map(Disconnect),
        1 => number().prop_map(|number| Trouble(number, self::Trouble::Silence)),
        1 => number().prop_map(|number| Trouble(number, self::Trouble::Failure)),
        2 => number().prop_map(Recover),
        1 => Just(Down),
        1 => Just(Up),
        1 => Just(Restart),
        1 => Just(Unload),
        1 => Just(Load),
        4 => Just(Wait),
    ]
}

/// The containers that run, each with its class and whether it has joined the other network.
type Running = BTreeMap<u32, (Option<&'static str>, bool)>;

/// What is to be seen of these: addresses and classes of rules.
fn expected(running: &Running) -> BTreeSet<(String, String)> {
    let mut rules = BTreeSet::new();

    for (number, (class, has_joined)) in running {
        let Some(class @ ("high" | "bulk")) = class else {
            continue;
        };

        rules.insert((format!("10.0.0.{number}/32"), (*class).to_owned()));
        if *has_joined {
            rules.insert((format!("10.1.0.{number}/32"), (*class).to_owned()));
        }
    }
    rules
}

async fn check(happenings: Vec<Happening>) {
    let mut world = World::new().await;
    let mut running = Running::new();
    let mut is_up = true;

    world.start();
    for happening in happenings {
        match happening {
            Happening::Run(number, class) => {
                let labels: Vec<_> = class
                    .iter()
                    .map(|class| ("io.prism.class", *class))
                    .collect();

                if running.insert(number, (class, false)).is_some() {
                    world.engine.stop(&id(number));
                }
                world.engine.run(container(number, &labels));
            }
            Happening::Stop(number) => {
                running.remove(&number);
                world.engine.stop(&id(number));
            }
            Happening::Connect(number) => {
                if let Some((_, has_joined)) = running.get_mut(&number) {
                    *has_joined = true;
                }
                world.engine.connect(
                    &id(number),
                    "side0000000000",
                    &format!("10.1.0.{number}"),
                    "",
                );
            }
            Happening::Disconnect(number) => {
                if let Some((_, has_joined)) = running.get_mut(&number) {
                    *has_joined = false;
                }
                world.engine.disconnect(&id(number), "side0000000000");
            }
            Happening::Trouble(number, trouble) => {
                world.engine.set_trouble(&id(number), Some(trouble));
            }
            Happening::Recover(number) => world.engine.set_trouble(&id(number), None),
            Happening::Down => {
                is_up = false;
                world.engine.down();
            }
            Happening::Up if !is_up => {
                is_up = true;
                world.engine.up().unwrap();
            }
            Happening::Restart => {
                world.stop().await;
                world.start();
            }
            Happening::Unload => {
                world.kernel.set_loaded(false);
                world.kernel.module.edit(|state| state.rules.clear());
                world.calls.changed.notify_one();
            }
            Happening::Load => {
                world.kernel.set_loaded(true);
                world.calls.changed.notify_one();
            }
            Happening::Up => (),
            Happening::Wait => tokio::time::sleep(std::time::Duration::from_millis(3)).await,
        }
    }
    if !is_up {
        world.engine.up().unwrap();
    }
    for number in 1..6 {
        world.engine.set_trouble(&id(number), None);
    }
    world.kernel.set_loaded(true);
    world.calls.changed.notify_one();
    let expected = expected(&running);
    let is_so = |rules: &BTreeMap<_, prism_config::rule::Rule>| {
        let now: BTreeSet<_> = rules
            .values()
            .filter(|rule| rule.enabled)
            .map(|rule| (rule.flows.destination.to_string(), rule.class.to_string()))
            .collect();

        now == expected && rules.len() == expected.len()
    };

    world.settled(is_so).await;
    // And stays so.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    world.settled(is_so).await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn rules_are_those_of_what_runs(happenings in prop::collection::vec(happening(), 1..40)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(check(happenings));
    }
}

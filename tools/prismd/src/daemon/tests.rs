// SPDX-License-Identifier: GPL-2.0

//! The daemon with an engine and a module that are not there.

mod engine;
mod property;
mod world;

use std::time::Duration;

use prism_config::rule::Rule;
use tokio::time::Instant;

pub(crate) use self::world::FakeKernel;
use self::world::{
    container,
    id,
    World, //
};
use super::{
    Daemon,
    RULES, //
};
use crate::report::Report;

const HIGH: (&str, &str) = ("io.prism.class", "high");

/// Starts the daemon, which knows three containers and has made their rules.
async fn start_with_three(world: &mut World) {
    world.start();
    for number in 1..=3 {
        world.engine.run(container(number, &[HIGH]));
    }
    world
        .has_addresses(&["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"])
        .await;
}

#[tokio::test]
async fn containers_have_their_rules() {
    let mut world = World::new().await;

    world
        .engine
        .run(container(1, &[HIGH, ("io.prism.ports", "6379/tcp")]));
    world.start();
    world
        .has(&["docker:000000000001:back00000000:0 vni=4097 protocol=tcp destination=10.0.0.1/32 destination_port=6379 class=high"])
        .await;
    world.engine.run(container(
        2,
        &[("io.prism.class", "bulk"), ("io.prism.rate", "50")],
    ));
    world
        .has(&[
            "docker:000000000001:back00000000:0 vni=4097 protocol=tcp destination=10.0.0.1/32 destination_port=6379 class=high",
            "docker:000000000002:back00000000:0 vni=4097 destination=10.0.0.2/32 class=bulk rate=50",
        ])
        .await;
    world.engine.stop(&id(1));
    world
        .has(&["docker:000000000002:back00000000:0 vni=4097 destination=10.0.0.2/32 class=bulk rate=50"])
        .await;
}

#[tokio::test]
async fn networks_come_and_go() {
    let mut world = World::new().await;

    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.has_addresses(&["10.0.0.1/32"]).await;
    world
        .engine
        .connect(&id(1), "side0000000000", "10.1.0.1", "fd00::1");
    world
        .has_addresses(&["10.0.0.1/32", "10.1.0.1/32", "fd00::1/128"])
        .await;
    world.engine.disconnect(&id(1), "back0000000000");
    world.has_addresses(&["10.1.0.1/32", "fd00::1/128"]).await;
    // Addresses of a container that is started again are others.
    world.engine.stop(&id(1));
    let mut again = container(1, &[HIGH]);
    again.endpoints.insert(
        "back0000000000".to_owned(),
        ("10.0.0.9".to_owned(), String::new()),
    );
    world.engine.run(again);
    world.has_addresses(&["10.0.0.9/32"]).await;
}

#[tokio::test]
async fn a_daemon_that_starts_again_knows_its_rules() {
    let mut world = World::new().await;

    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.engine.run(container(2, &[HIGH]));
    world.has_addresses(&["10.0.0.1/32", "10.0.0.2/32"]).await;
    world.stop().await;
    world.engine.stop(&id(1));
    // It was stopped in the middle of making one.
    world.kernel.module.edit(|state| {
        let name = "docker:000000000003:back00000000:0".to_owned();

        state.rules.insert(name, prism_config::new_rule());
    });
    world.start();
    world.has_addresses(&["10.0.0.2/32"]).await;
}

#[tokio::test]
async fn rules_stay_until_it_is_known_what_runs() {
    let mut world = World::new().await;

    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.has_addresses(&["10.0.0.1/32"]).await;
    world.stop().await;
    world.engine.down();
    world.start();
    world.calls.changed.notify_one();
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.has_addresses(&["10.0.0.1/32"]).await;
    world.engine.stop(&id(1));
    world.engine.up().unwrap();
    world.has_addresses(&[]).await;
}

#[tokio::test]
async fn rules_of_others_stay() {
    let mut world = World::new().await;
    let others = "
        [rules.cache]
        vni = 4097
        destination = '10.0.0.1'
        [rules.'docker:mine']
        vni = 1
        [rules.'docker:000000000001:back00000000:0']
        source = '192.0.2.0/24'
    "
    .parse::<prism_config::State>()
    .unwrap();

    world.kernel.module.edit(|state| *state = others.clone());
    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.engine.run(container(2, &[HIGH]));
    world.settled(|rules| rules.len() == 4).await;
    assert!(world.text().contains("\nprismd_foreign_rules 1\n"));
    world.engine.stop(&id(1));
    world.engine.stop(&id(2));
    world.settled(|rules| rules.len() == 3).await;
    assert_eq!(world.rules(), others.rules);
}

#[tokio::test]
async fn a_thousand_leave_none() {
    let mut world = World::new().await;

    world.start();
    for hundred in 0..10 {
        let numbers = || hundred * 100 + 1..=hundred * 100 + 100;

        for number in numbers() {
            world.engine.run(container(number, &[HIGH]));
        }
        if hundred % 2 == 0 {
            world.settled(|rules| rules.len() == 100).await;
        }
        for number in numbers() {
            world.engine.stop(&id(number));
        }
    }
    // They may not have been seen to run.
    world.engine.run(container(9999, &[HIGH]));
    world
        .settled(|rules| rules.contains_key("docker:000000009999:back00000000:0"))
        .await;
    world.engine.stop(&id(9999));
    world.settled(|rules| rules.is_empty()).await;
    assert!(world.text().contains("\nprismd_containers 0\n"));
    assert!(world.text().contains("\nprismd_rules 0\n"));
}

#[tokio::test]
async fn a_bad_label_leaves_no_rule() {
    let mut world = World::new().await;

    world.start();
    world
        .engine
        .run(container(1, &[HIGH, ("io.prism.ports", "80/tcp,x")]));
    world
        .engine
        .run(container(2, &[HIGH, ("io.prism.port", "80/tcp")]));
    world
        .engine
        .run(container(3, &[("io.prism.ports", "80/tcp")]));
    world.engine.run(container(4, &[HIGH]));
    world.has_addresses(&["10.0.0.4/32"]).await;
    assert!(world.text().contains("\nprismd_containers_refused 2\n"));
    assert!(world.text().contains("\nprismd_containers 3\n"));
}

#[tokio::test]
async fn what_lacks_rules_is_told() {
    let mut world = World::new().await;
    let with_mode = |number, mode: &str| {
        let mut container = container(number, &[HIGH]);

        container.mode = mode.to_owned();
        container
    };
    let mut secret = container(2, &[HIGH]);

    secret.endpoints.insert(
        "secret00000000".to_owned(),
        ("10.2.0.2".to_owned(), String::new()),
    );
    world.start();
    world.engine.run(with_mode(1, "host"));
    world.engine.run(secret);
    world.engine.run(container(3, &[HIGH]));
    world.has_addresses(&["10.0.0.2/32", "10.0.0.3/32"]).await;
    let text = world.text();
    for line in [
        r#"prismd_lacking{container="c1",network="",reason="host"} 1"#,
        r#"prismd_lacking{container="c2",network="secret",reason="encrypted"} 1"#,
        r#"prism_rule_packets_total{container="c3",network="back",rule="docker:000000000003:back00000000:0"} 3"#,
        "prism_classified_total 12",
    ] {
        assert!(
            text.lines().any(|of| of == line),
            "{line} is not in\n{text}"
        );
    }
    assert_eq!(text.matches("prismd_lacking{").count(), 2, "{text}");
}

#[tokio::test]
async fn who_is_left_out_is_in_a_file() {
    let mut world = World::new().await;
    let mut secret = container(1, &[HIGH]);

    secret.endpoints.insert(
        "secret00000000".to_owned(),
        ("10.2.0.2".to_owned(), String::new()),
    );
    world.kernel.module.set_max_rules(1);
    world.start();
    world.left_out_are(&[]).await;
    world.engine.run(secret);
    world.left_out_are(&[("c1", "secret", "encrypted")]).await;
    world
        .engine
        .run(container(2, &[HIGH, ("io.prism.ports", "x")]));
    world
        .left_out_are(&[("c2", "", "label"), ("c1", "secret", "encrypted")])
        .await;
    // The module takes one rule, which the first has for its other network.
    world.engine.run(container(3, &[HIGH]));
    world
        .left_out_are(&[
            ("c2", "", "label"),
            ("c1", "secret", "encrypted"),
            ("c3", "", "refused"),
        ])
        .await;
    world.engine.stop(&id(1));
    world.has_addresses(&["10.0.0.3/32"]).await;
    world.left_out_are(&[("c2", "", "label")]).await;
    // It goes with the daemon, and is there again with the next one.
    world.stop().await;
    assert!(!world.left_out().exists());
    world.start();
    world.left_out_are(&[("c2", "", "label")]).await;
}

#[tokio::test]
async fn rules_need_no_such_file() {
    let mut world = World::new().await;

    // A directory is where it should be.
    std::fs::create_dir_all(world.left_out().join("x")).unwrap();
    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.has_addresses(&["10.0.0.1/32"]).await;
}

#[tokio::test]
async fn the_module_is_waited_for() {
    let mut world = World::new().await;

    world.kernel.set_loaded(false);
    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.connected().await;
    assert!(world.text().contains("\nprism_up 0\n"));
    assert!(world.rules().is_empty());
    world.kernel.set_loaded(true);
    world.calls.changed.notify_one();
    world.has_addresses(&["10.0.0.1/32"]).await;
    // It is loaded anew.
    world.kernel.module.edit(|state| state.rules.clear());
    world.calls.changed.notify_one();
    world.has_addresses(&["10.0.0.1/32"]).await;
}

#[tokio::test]
async fn what_is_refused_is_tried_again() {
    let mut world = World::new().await;

    world.kernel.module.set_max_rules(1);
    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.has_addresses(&["10.0.0.1/32"]).await;
    world.engine.run(container(2, &[HIGH]));
    world.told("\nprismd_failures_total 1\n").await;
    world.engine.stop(&id(1));
    world.has_addresses(&["10.0.0.2/32"]).await;
}

#[tokio::test]
async fn one_that_begins_to_be_refused_does_not_wait_for_long() {
    let world = World::new().await;
    let engine = world.client().await;
    let mut daemon = Daemon::new(world.kernel.clone(), Report::default());

    world.kernel.module.set_max_rules(1);
    for number in 1..=2 {
        world.engine.run(container(number, &[HIGH]));
    }
    daemon.reload(&engine).await.unwrap();
    let waits = |daemon: &Daemon<_>| daemon.retry.unwrap().duration_since(Instant::now());
    for _ in 0..10 {
        daemon.retry = None;
        assert!(!daemon.settle().unwrap());
    }
    assert!(waits(&daemon) > RULES.1 / 2);
    world.engine.run(container(3, &[HIGH]));
    daemon.reload(&engine).await.unwrap();
    assert!(!daemon.settle().unwrap());
    assert!(waits(&daemon) <= RULES.0);
    daemon.retry = None;
    assert!(!daemon.settle().unwrap());
    assert!(waits(&daemon) > RULES.0);
}

#[tokio::test]
async fn one_at_a_time_changes_rules() {
    let mut world = World::new().await;

    world.kernel.set_locked(true);
    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.connected().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(world.rules().is_empty());
    world.kernel.set_locked(false);
    world.has_addresses(&["10.0.0.1/32"]).await;
}

#[tokio::test]
async fn nobody_is_woken_for_nothing() {
    let mut world = World::new().await;

    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.engine.run(container(2, &[]));
    world.has_addresses(&["10.0.0.1/32"]).await;
    // It may have been told both in a list and in events.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = world.engine.requests().len();
    for _ in 0..20 {
        world.engine.chatter(&id(1));
        // Started and stopped, and none of ours.
        world.engine.stop(&id(2));
        world.engine.run(container(2, &[]));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.engine.requests().len(), before);
}

#[tokio::test]
async fn a_changed_rule_is_mended_when_asked() {
    let mut world = World::new().await;

    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.has_addresses(&["10.0.0.1/32"]).await;
    world.kernel.module.edit(|state| {
        state
            .rules
            .values_mut()
            .for_each(|rule: &mut Rule| rule.enabled = false);
    });
    world.calls.changed.notify_one();
    world
        .settled(|rules| rules.values().all(|rule| rule.enabled))
        .await;
}

// SPDX-License-Identifier: GPL-2.0

//! An engine that goes, lags, fails or does not answer.

use std::time::Duration;

use fake_docker::Trouble;

use super::{
    start_with_three,
    world::{
        container,
        id,
        World, //
    },
    HIGH, //
};

#[tokio::test]
async fn nothing_is_missed_at_the_start() {
    let mut world = World::new().await;

    world.engine.set_lag(Duration::from_millis(200));
    world.engine.run(container(1, &[HIGH]));
    world.start();
    world.has_addresses(&["10.0.0.1/32"]).await;
    // What runs was listed, and what happens is not told yet.
    assert_eq!(world.engine.followers(), 0);
    world.engine.stop(&id(1));
    world.engine.run(container(2, &[HIGH]));
    world.has_addresses(&["10.0.0.2/32"]).await;
}

#[tokio::test]
async fn an_event_behind_a_torn_line_is_not_left() {
    let mut world = World::new().await;

    start_with_three(&mut world).await;
    world.followed().await;
    world.engine.tear();
    world.engine.stop(&id(1));
    world.engine.stop(&id(2));
    world.has_addresses(&["10.0.0.3/32"]).await;
}

#[tokio::test]
async fn one_that_is_being_started_keeps_nobody_waiting() {
    let mut world = World::new().await;

    start_with_three(&mut world).await;
    world.followed().await;
    world.engine.set_trouble(&id(1), Some(Trouble::Silence));
    world
        .engine
        .connect(&id(1), "side0000000000", "10.1.0.1", "");
    world.engine.stop(&id(2));
    world.engine.run(container(4, &[HIGH]));
    world
        .has_addresses(&["10.0.0.1/32", "10.0.0.3/32", "10.0.0.4/32"])
        .await;
    // Something happens to it while the engine is asked.
    world.engine.disconnect(&id(1), "back0000000000");
    world.engine.set_trouble(&id(1), None);
    world
        .has_addresses(&["10.0.0.3/32", "10.0.0.4/32", "10.1.0.1/32"])
        .await;
}

#[tokio::test]
async fn rules_of_one_of_which_the_engine_does_not_tell_stay() {
    let mut world = World::new().await;

    start_with_three(&mut world).await;
    world.stop().await;
    world.engine.set_trouble(&id(2), Some(Trouble::Failure));
    world.engine.stop(&id(1));
    world.start();
    world.left_out_are(&[("", "", "untold")]).await;
    world.has_addresses(&["10.0.0.2/32", "10.0.0.3/32"]).await;
    assert!(world.text().contains("\nprismd_containers_untold 1\n"));
    world.engine.run(container(4, &[HIGH]));
    world
        .has_addresses(&["10.0.0.2/32", "10.0.0.3/32", "10.0.0.4/32"])
        .await;
    // It is asked again.
    world.engine.set_trouble(&id(2), None);
    world.left_out_are(&[]).await;
    world
        .has_addresses(&["10.0.0.2/32", "10.0.0.3/32", "10.0.0.4/32"])
        .await;
    assert!(world.text().contains("\nprismd_containers 3\n"));
}

#[tokio::test]
async fn what_happens_during_the_first_look_is_not_lost() {
    let mut world = World::new().await;

    world.engine.set_trouble(&id(1), Some(Trouble::Silence));
    world.start();
    world.connected().await;
    world.followed().await;
    world.engine.run(container(1, &[HIGH]));
    world.asked_about(&id(1)).await;
    world
        .engine
        .connect(&id(1), "side0000000000", "10.1.0.1", "");
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.engine.set_trouble(&id(1), None);
    world.has_addresses(&["10.0.0.1/32", "10.1.0.1/32"]).await;
}

#[tokio::test]
async fn rules_stay_where_the_engine_is_back_and_does_not_list() {
    let mut world = World::new().await;

    start_with_three(&mut world).await;
    world.stop().await;
    world.engine.set_trouble(&id(2), Some(Trouble::Failure));
    world.start();
    world.left_out_are(&[("", "", "untold")]).await;
    world.engine.down();
    world.engine.set_trouble("", Some(Trouble::Failure));
    world.engine.up().unwrap();
    world.listed_again().await;
    world.calls.changed.notify_one();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world
        .has_addresses(&["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"])
        .await;
}

#[tokio::test]
async fn an_engine_that_does_not_answer_keeps_no_rule_waiting() {
    let mut world = World::new().await;

    start_with_three(&mut world).await;
    world.engine.down();
    world.engine.set_trouble("", Some(Trouble::Silence));
    world.engine.up().unwrap();
    world.listed().await;
    world.kernel.module.edit(|state| state.rules.clear());
    world.calls.changed.notify_one();
    world
        .has_addresses(&["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"])
        .await;
    assert_eq!(world.report.connections(), 1);
}

#[tokio::test]
async fn what_is_known_is_made_anew_with_the_module() {
    let mut world = World::new().await;

    start_with_three(&mut world).await;
    world.followed().await;
    world.engine.set_trouble(&id(1), Some(Trouble::Failure));
    world
        .engine
        .connect(&id(1), "side0000000000", "10.1.0.1", "");
    world.left_out_are(&[("c1", "", "untold")]).await;
    world.kernel.module.edit(|state| state.rules.clear());
    world.calls.changed.notify_one();
    world
        .has_addresses(&["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"])
        .await;
}

#[tokio::test]
async fn an_engine_that_goes_takes_no_rule() {
    let mut world = World::new().await;

    start_with_three(&mut world).await;
    world.engine.down();
    world.engine.stop(&id(2));
    world.engine.run(container(4, &[HIGH]));
    tokio::time::sleep(Duration::from_millis(300)).await;
    world
        .has_addresses(&["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"])
        .await;
    world.engine.up().unwrap();
    world
        .has_addresses(&["10.0.0.1/32", "10.0.0.3/32", "10.0.0.4/32"])
        .await;
    // And is followed again.
    world.engine.stop(&id(1));
    world.has_addresses(&["10.0.0.3/32", "10.0.0.4/32"]).await;
    assert_eq!(world.report.connections(), 2);
}

#[tokio::test]
async fn an_older_engine_is_asked_in_its_version() {
    let mut world = World::new().await;

    world.start();
    world.engine.run(container(1, &[HIGH]));
    world.has_addresses(&["10.0.0.1/32"]).await;
    let requests = world.engine.requests();
    let is_fine = |path: &String| path.starts_with("/v1.41/") || path.ends_with("/version");

    assert!(requests.iter().all(is_fine), "{requests:?}");
}

#[tokio::test]
async fn an_end_that_was_not_told_is_made_up_for() {
    let mut world = World::new().await;

    // What happens is told an hour later.
    world.engine.set_lag(Duration::from_secs(3600));
    for number in 1..=2 {
        world.engine.run(container(number, &[HIGH]));
    }
    world.start();
    world.has_addresses(&["10.0.0.1/32", "10.0.0.2/32"]).await;
    world.engine.stop(&id(1));
    world.engine.run(container(3, &[HIGH]));
    world.calls.changed.notify_one();
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.has_addresses(&["10.0.0.1/32", "10.0.0.2/32"]).await;
    world.calls.anew.notify_one();
    world.has_addresses(&["10.0.0.2/32", "10.0.0.3/32"]).await;
    assert_eq!(world.report.connections(), 1);
}

#[tokio::test]
async fn an_engine_that_goes_at_once_is_not_asked_at_once() {
    let mut world = World::new().await;

    world.start();
    for times in 1..=4 {
        world
            .told(&format!("\nprismd_connections_total {times}\n"))
            .await;
        world.engine.down();
        world.engine.up().unwrap();
    }
    // 100, 200, 400 and 800 ms.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(world.report.connections(), 4);
    world.told("\nprismd_connections_total 5\n").await;
}

// SPDX-License-Identifier: GPL-2.0

use prism_config::fake::Fake;

use super::*;

const A: &str = "aaaaaaaaaaaa";

fn state(text: &str) -> State {
    text.parse().unwrap()
}

/// What containers are to have: their rules, by a file.
fn wanted(text: &str) -> BTreeMap<String, Rules> {
    let mut wanted: BTreeMap<String, Rules> = BTreeMap::new();

    for (name, rule) in state(text).rules {
        let container = container_of(&name).unwrap().to_owned();

        wanted.entry(container).or_default().insert(name, rule);
    }
    wanted
}

fn names(target: &Fake) -> Vec<String> {
    target.names().unwrap()
}

const TWO: &str = "
    [rules.'docker:aaaaaaaaaaaa:ports:0']
    vni = 'none'
    protocol = 'tcp'
    destination_port = 80
    [rules.'docker:bbbbbbbbbbbb:nnnnnnnnnnnn:0']
    vni = 4097
    destination = '10.0.1.5'
";

#[test]
fn rules_become_what_they_are_to_be() {
    let target = Fake::new(
        &state(
            "
            [rules.cache]
            vni = 1
            [rules.'docker:aaaaaaaaaaaa:ports:0']
            enabled = false
            [rules.'docker:cccccccccccc:ports:0']
            vni = 2
            ",
        ),
        usize::MAX,
    );
    let todo = Todo::new(&target, &wanted(TWO), |_| true).unwrap();

    assert_eq!(
        todo.to_string(),
        "- rule docker:cccccccccccc:ports:0 vni=2 class=high\n\
         - rule docker:aaaaaaaaaaaa:ports:0 class=high (disabled)\n\
         + rule docker:aaaaaaaaaaaa:ports:0 vni=none protocol=tcp destination_port=80 class=high\n\
         + rule docker:bbbbbbbbbbbb:nnnnnnnnnnnn:0 vni=4097 destination=10.0.1.5/32 class=high\n"
    );
    let done = todo.carry_out(&target);
    assert_eq!((done.made, done.removed, done.changed), (1, 1, 1));
    assert!(done.failed.is_empty());
    assert!(Todo::new(&target, &wanted(TWO), |_| true)
        .unwrap()
        .is_empty());
    assert!(names(&target).contains(&"cache".to_owned()));
}

#[test]
fn only_those_in_question_change() {
    let target = Fake::new(&state(TWO), usize::MAX);

    Todo::new(&target, &BTreeMap::new(), |id| id == A)
        .unwrap()
        .carry_out(&target);
    assert_eq!(names(&target), ["docker:bbbbbbbbbbbb:nnnnnnnnnnnn:0"]);
}

#[test]
fn others_stay_as_they_are() {
    let others = "
        [rules.cache]
        vni = 1
        [rules.'docker:mine']
        vni = 2
        [rules.'docker:aaaaaaaaaaaa:ports:0']
        source = '192.0.2.0/24'
        [rules.'docker:bbbbbbbbbbbb:nnnnnnnnnnnn:0']
        destination = '10.0.1.0/24'
    ";
    let target = Fake::new(&state(others), usize::MAX);

    // Neither removed nor changed, whether we want a rule of that name or not.
    for wanted in [wanted(TWO), BTreeMap::new()] {
        let todo = Todo::new(&target, &wanted, |_| true).unwrap();

        assert!(todo.is_empty(), "{todo}");
        assert_eq!(todo.foreign.len(), 2);
    }
    assert_eq!(target.state().unwrap(), state(others));
}

#[test]
fn a_container_has_all_its_rules_or_none() {
    let two_of_a = "
        [rules.'docker:aaaaaaaaaaaa:ports:0']
        vni = 'none'
        [rules.'docker:aaaaaaaaaaaa:ports:1']
        vni = 2
        [rules.'docker:bbbbbbbbbbbb:ports:0']
        vni = 3
    ";
    let target = Fake::new(&State::default(), usize::MAX);
    target.set_max_rules(1);
    let done = Todo::new(&target, &wanted(two_of_a), |_| true)
        .unwrap()
        .carry_out(&target);

    assert_eq!(done.failed.keys().collect::<Vec<_>>(), [A]);
    assert_eq!(names(&target), ["docker:bbbbbbbbbbbb:ports:0"]);
    target.set_max_rules(3);
    let done = Todo::new(&target, &wanted(two_of_a), |_| true)
        .unwrap()
        .carry_out(&target);
    assert_eq!((done.made, done.failed.len()), (2, 0));
}

#[test]
fn what_goes_makes_room_for_what_comes() {
    let target = Fake::new(
        &state("[rules.'docker:bbbbbbbbbbbb:ports:0']\nvni = 3"),
        usize::MAX,
    );
    target.set_max_rules(1);
    let done = Todo::new(
        &target,
        &wanted("[rules.'docker:aaaaaaaaaaaa:ports:0']\nvni = 2"),
        |_| true,
    )
    .unwrap()
    .carry_out(&target);

    assert!(done.failed.is_empty());
    assert_eq!(names(&target), ["docker:aaaaaaaaaaaa:ports:0"]);
}

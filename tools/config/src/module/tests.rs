// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::Plan;

/// Files as the module has them, with a rule `cache`.
fn files() -> (tempfile::TempDir, Module) {
    let dir = tempfile::tempdir().unwrap();
    let (knobs, rules) = (dir.path().join("knobs"), dir.path().join("rules"));

    fs::create_dir_all(knobs.join("stats")).unwrap();
    fs::create_dir_all(rules.join("cache")).unwrap();
    for knob in &KNOBS {
        fs::write(knobs.join(knob.name), format!("{}\n", knob.default)).unwrap();
    }
    fs::write(knobs.join("stats/classified"), "12\n").unwrap();
    for field in Field::ALL {
        fs::write(
            rules.join("cache").join(field.name()),
            field.of(&new_rule()).to_string(),
        )
        .unwrap();
    }
    for (name, text) in [
        ("vni", "42\n"),
        ("enabled", "1\n"),
        ("packets", "3\n"),
        ("bytes", "99\n"),
        ("dropped", "1\n"),
    ] {
        fs::write(rules.join("cache").join(name), text).unwrap();
    }
    let module = Module::at(&knobs, &rules).unwrap();

    (dir, module)
}

#[test]
fn what_is_there_is_read() {
    let (_dir, module) = files();
    let state = module.state().unwrap();

    assert_eq!(state.knobs["quantum"], "2");
    assert_eq!(Field::Vni.of(&state.rules["cache"]).to_string(), "42");
    assert!(state.rules["cache"].enabled);
    assert_eq!(module.counters().unwrap()["classified"], 12);
    assert_eq!(
        module.counts("cache").unwrap(),
        Counts {
            packets: 3,
            bytes: 99,
            dropped: Some(1),
        }
    );
}

#[test]
fn devices_that_are_gone_keep_nothing_else_from_being_read() {
    let (dir, module) = files();

    fs::write(dir.path().join("knobs/devices"), "\n").unwrap();
    let state = module.state().unwrap();
    assert_eq!(state.knobs["devices"], "");
    assert!(!state.to_file().contains("devices"));
    let mut wanted = state.clone();
    wanted.knobs.insert("devices", "auto".to_owned());
    Plan::new(&state, &wanted, |_| false)
        .carry_out(&module)
        .unwrap();
    assert_eq!(module.value("devices").unwrap(), "auto");
}

#[test]
fn what_is_not_known_is_said() {
    let (dir, module) = files();

    fs::write(dir.path().join("rules/cache/class"), "urgent\n").unwrap();
    let why = module.state().unwrap_err().to_string();
    assert!(
        why.ends_with("/rules/cache/class: \"urgent\" is not known to this version of the tools"),
        "{why}"
    );
}

#[test]
fn a_rule_that_goes_while_it_is_read_is_none() {
    let (dir, module) = files();
    let rule = dir.path().join("rules/cache");
    let vni = rule.join("vni");

    fs::remove_file(&vni).unwrap();
    nix::unistd::mkfifo(&vni, nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Opened, when it is being read.
            let mut file = File::options().write(true).open(&vni).unwrap();

            fs::remove_dir_all(&rule).unwrap();
            file.write_all(b"42\n").unwrap();
        });
        assert!(matches!(module.rule("cache"), Err(Error::NoRule(_))));
    });
    assert!(module.state().unwrap().rules.is_empty());
}

#[test]
fn an_older_module_has_fewer_knobs() {
    let (dir, module) = files();

    fs::remove_file(dir.path().join("knobs/high_share")).unwrap();
    let state = module.state().unwrap();
    assert_eq!(state.knobs.len(), KNOBS.len() - 1);
    assert!(!state.knobs.contains_key("high_share"));
    let knob = Knob::named("high_share").unwrap();
    assert_eq!(
        module.turn(knob, "5").unwrap_err().to_string(),
        "high_share=5: the module that is loaded has no such file (the kernel's log may say more)"
    );
    assert!(!dir.path().join("knobs/high_share").exists());
}

#[test]
fn an_older_module_has_rules_with_fewer_fields() {
    let (dir, module) = files();
    let all = module.rule("cache").unwrap();

    fs::remove_file(dir.path().join("rules/cache/gro")).unwrap();
    assert_eq!(module.rule("cache").unwrap(), all);
    fs::remove_file(dir.path().join("rules/cache/enabled")).unwrap();
    assert!(matches!(module.rule("cache"), Err(Error::Read { .. })));
}

#[test]
fn an_older_module_does_not_count_what_rules_drop() {
    let (dir, module) = files();
    let dropped = dir.path().join("rules/cache/dropped");

    fs::remove_file(&dropped).unwrap();
    assert_eq!(
        module.counts("cache").unwrap(),
        Counts {
            packets: 3,
            bytes: 99,
            dropped: None,
        }
    );
    fs::write(&dropped, "many\n").unwrap();
    assert!(matches!(module.counts("cache"), Err(Error::Unknown { .. })));
    fs::remove_file(dir.path().join("rules/cache/bytes")).unwrap();
    assert!(matches!(module.counts("cache"), Err(Error::Read { .. })));
}

#[test]
fn names_lead_nowhere_else() {
    let (_dir, module) = files();

    for name in ["..", "../knobs", "cache/../cache", ""] {
        assert!(matches!(module.rule(name), Err(Error::NoRule(_))), "{name}");
    }
}

#[test]
fn no_module_is_said() {
    let dir = tempfile::tempdir().unwrap();

    assert!(matches!(
        Module::at(&dir.path().join("none"), dir.path()),
        Err(Error::NotLoaded)
    ));
    assert!(matches!(
        Module::at(dir.path(), &dir.path().join("none")),
        Err(Error::NoConfigfs)
    ));
}

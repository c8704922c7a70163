// SPDX-License-Identifier: GPL-2.0

//! The seed corpora of the fuzz targets: they are what they should be, and pass.

mod common;
#[path = "../fuzz/input.rs"]
#[allow(unreachable_pub)]
mod input;

use std::{
    env,
    fs,
    path::PathBuf, //
};

use common::{
    build::good_packets,
    language,
    oracle, //
};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/parser")
}

/// The corpus has each good packet. `UPDATE_CORPUS=1 cargo test --test corpus` writes it.
#[test]
fn corpus_has_each_kind_of_packet() {
    for (name, v6, packet) in good_packets() {
        let path = corpus().join(name);
        let input = input::join(v6, &packet);

        if env::var_os("UPDATE_CORPUS").is_some() {
            fs::write(&path, &input).unwrap();
        }
        assert_eq!(fs::read(&path).ok(), Some(input), "{name}");
    }
}

#[test]
fn corpus_passes() {
    for entry in fs::read_dir(corpus()).unwrap() {
        let input = fs::read(entry.unwrap().path()).unwrap();

        if let Some((v6, head, len)) = input::split(&input) {
            let _ = oracle::check(v6, head, len);
        }
    }
}

/// The inputs of the second target, by name.
fn rules() -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/rules");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();

        (name, fs::read_to_string(path).unwrap())
    };

    fs::read_dir(dir).unwrap().map(read).collect()
}

/// Each input has rules that may be enabled, but for those of which none may.
#[test]
fn rules_are_rules() {
    for (name, text) in rules() {
        let wanted = match name.starts_with("refused") {
            true => 0,
            false => text.lines().count(),
        };

        assert_eq!(language::rules_in(&text).len(), wanted, "{name}");
    }
}

#[test]
fn rules_pass() {
    assert!(!rules().is_empty());
    rules().iter().for_each(|(_, text)| language::check(text));
}

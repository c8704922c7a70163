// SPDX-License-Identifier: GPL-2.0

//! The seed corpus of the fuzz target: it is what it should be, and passes.

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
    oracle, //
};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
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

// SPDX-License-Identifier: GPL-2.0

//! Fuzz target: rules are read from text, and a table of them is held against a search through all.
//!
//! An input is text: a rule a line, whose fields are separated by tabs: `source=10.0.0.0/8`. Values that
//! are refused leave their field as it was. `fuzz.sh` builds and runs it.

#![no_main]
#![allow(dead_code, unreachable_pub)]

#[macro_use]
mod entry;
#[path = "../tests/common/language.rs"]
mod language;
#[path = "../tests/common/rules.rs"]
mod rules;

fn check(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        language::check(text);
    }
}

entry!(check);

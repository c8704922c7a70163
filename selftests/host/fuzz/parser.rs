// SPDX-License-Identifier: GPL-2.0

//! Fuzz target: a packet is parsed two ways, which must not differ. `fuzz.sh` builds and runs it.
//!
//! The first two bytes of an input say how to take the rest, see [`input::split`].

#![no_main]
#![allow(dead_code, unreachable_pub)]

#[path = "../tests/common/build.rs"]
mod build;
#[macro_use]
mod entry;
mod input;
#[path = "../tests/common/oracle.rs"]
mod oracle;

fn check(data: &[u8]) {
    if let Some((v6, head, len)) = input::split(data) {
        let _ = oracle::check(v6, head, len);
    }
}

entry!(check);

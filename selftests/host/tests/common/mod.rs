// SPDX-License-Identifier: GPL-2.0

//! What several tests share.

#![allow(dead_code, unreachable_pub)]

pub mod build;
pub mod few;
pub mod language;
pub mod layers;
pub mod oracle;
pub mod rules;

use proptest::test_runner::Config;

/// Settings for a property test that tries `cases` inputs and leaves no file behind.
pub fn cases(cases: u32) -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

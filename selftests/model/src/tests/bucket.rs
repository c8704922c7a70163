// SPDX-License-Identifier: GPL-2.0

//! `prism/classify/bucket.rs`: a bucket that all CPUs share.
//!
//! Models: a bucket in which three tokens are left; three CPUs want two each, at times that differ by
//! less than it takes to earn one, in whatever order they come to the word.
//!
//! Property: they get three, not more, which the rate forbids, and not less, as who comes to a word that
//! another has changed tries again. Broken: the word is written without looking whether it was changed, or
//! not tried again.
//!
//! Leaves out: batches, which only a CPU's own part knows; selftests/host has tests of those and of times.

use loom::{
    sync::Arc,
    thread, //
};

use crate::classify::rule::Rate;

macro_rules! model {
    ($bucket:path) => {{
        use $bucket as bucket;

        let rate = Rate::new(100).unwrap();
        let shared = Arc::new(bucket::Bucket::new());
        let mut local = bucket::Local::default();
        for _ in 0..bucket::BURST_MIN - 3 {
            assert!(shared.take(&mut local, rate, NOW));
        }

        let cpus: Vec<_> = (1..=2)
            .map(|cpu| {
                let shared = shared.clone();

                thread::spawn(move || {
                    let mut local = bucket::Local::default();
                    taken(|| shared.take(&mut local, rate, NOW + cpu))
                })
            })
            .collect();
        let mut admitted = taken(|| shared.take(&mut local, rate, NOW));
        for cpu in cpus {
            admitted += cpu.join().unwrap();
        }
        assert_eq!(admitted, 3);
    }};
}

const NOW: u64 = 1_000_000_000;

/// Of two tokens, how many there were.
fn taken(mut take: impl FnMut() -> bool) -> u32 {
    u32::from(take()) + u32::from(take())
}

#[test]
fn never_more_than_the_rate() {
    super::check(|| model!(crate::classify::bucket));
}

#[test]
fn not_exchanged() {
    super::is_found("`left == right`", || {
        model!(crate::broken::bucket_not_exchanged)
    });
}

#[test]
fn not_retried() {
    super::is_found("`left == right`", || {
        model!(crate::broken::bucket_not_retried)
    });
}

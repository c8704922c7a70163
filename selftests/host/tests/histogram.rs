// SPDX-License-Identifier: GPL-2.0

//! Tests of the buckets for times.

use prism_host::classify::histogram::{
    bucket,
    least,
    BUCKETS, //
};
use proptest::prelude::*;

#[test]
fn small_numbers_have_a_bucket_each() {
    for value in 0..8 {
        assert_eq!(bucket(value), value as usize);
        assert_eq!(least(value as usize), value);
    }
}

#[test]
fn a_bucket_ends_where_the_next_begins() {
    for at in 1..BUCKETS {
        assert!(least(at - 1) < least(at), "{at}");
        assert_eq!(bucket(least(at)), at);
        assert_eq!(bucket(least(at) - 1), at - 1);
    }
}

#[test]
fn a_power_of_two_has_four() {
    assert_eq!(
        [1024, 1280, 1536, 1792, 2048].map(bucket),
        [36, 37, 38, 39, 40]
    );
    assert_eq!([1279, 1535, 1791, 2047].map(bucket), [36, 37, 38, 39]);
}

#[test]
fn what_is_too_much_is_in_the_last() {
    let end = least(BUCKETS);

    assert_eq!(end, 1 << 36);
    for value in [end - 1, end, end + 1, u64::MAX] {
        assert_eq!(bucket(value), BUCKETS - 1);
    }
}

proptest! {
    #[test]
    fn a_value_is_in_its_bucket(value in 0..1u64 << 36) {
        let at = bucket(value);

        prop_assert!(at < BUCKETS);
        prop_assert!(least(at) <= value && value < least(at + 1));
        // A quarter of what it begins with at most, or one number.
        let width = least(at + 1) - least(at);
        prop_assert!(width == 1 || width * 4 <= least(at));
    }

    #[test]
    fn no_value_is_without(value: u64) {
        prop_assert!(bucket(value) < BUCKETS);
    }
}

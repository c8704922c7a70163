// SPDX-License-Identifier: GPL-2.0

//! Waits that become longer.

use std::{
    future::pending,
    time::Duration, //
};

use tokio::time::{
    sleep_until,
    Instant, //
};

/// Waits for a moment, or for ever where there is none.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// How long to wait before the next attempt: twice as long as before, within limits.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    last: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with the first and ends with the second of `limits`.
    pub(crate) fn new((first, last): (Duration, Duration)) -> Self {
        Self {
            first,
            last,
            next: first,
        }
    }

    /// How long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.next;

        self.next = (now * 2).min(self.last);
        now
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_have_limits() {
        let mut backoff = Backoff::new((Duration::from_secs(1), Duration::from_secs(5)));
        let seconds: Vec<u64> = (0..5).map(|_| backoff.next().as_secs()).collect();

        assert_eq!(seconds, [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.next().as_secs(), 1);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What clients of services measured, as one line for whoever runs them.

use std::{
    fmt,
    time::Duration, //
};

/// A client's run.
pub struct Figures {
    pub sent: usize,
    /// Of those that were answered, in order of time.
    latencies: Vec<Duration>,
    /// How long it ran.
    time: Duration,
}

impl Figures {
    pub fn new(sent: usize, mut latencies: Vec<Duration>, time: Duration) -> Self {
        latencies.sort_unstable();
        Self {
            sent,
            latencies,
            time,
        }
    }

    fn percentile(&self, per_mille: usize) -> Duration {
        percentile(&self.latencies, per_mille)
    }

    fn mean(&self) -> Duration {
        let count = self.latencies.len().max(1);

        self.latencies.iter().sum::<Duration>() / u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// The smallest of the `sorted` times that so many per mille of them do not exceed; zero of none.
pub fn percentile(sorted: &[Duration], per_mille: usize) -> Duration {
    let rank = (sorted.len() * per_mille).div_ceil(1000);

    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// `NAME=NUMBER ...`: latencies in microseconds, the rate of answers a second.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let received = self.latencies.len();

        write!(
            f,
            "sent={} received={received} rate={:.1}",
            self.sent,
            received as f64 / self.time.as_secs_f64()
        )?;
        for (name, time) in [
            ("p50", self.percentile(500)),
            ("p90", self.percentile(900)),
            ("p99", self.percentile(990)),
            ("p999", self.percentile(999)),
            ("max", self.percentile(1000)),
            ("mean", self.mean()),
        ] {
            write!(f, " {name}={:.1}", time.as_secs_f64() * 1e6)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[u64]) -> Figures {
        let latencies = micros.iter().copied().map(Duration::from_micros).collect();

        Figures::new(micros.len() + 1, latencies, Duration::from_secs(2))
    }

    #[test]
    fn percentile_is_the_nearest_rank() {
        let of = |values, per_mille| of(values).percentile(per_mille).as_micros();

        assert_eq!(of(&[], 500), 0);
        assert_eq!(of(&[7], 500), 7);
        assert_eq!(of(&[7], 990), 7);
        assert_eq!(of(&[1, 2, 3, 4], 500), 2);
        assert_eq!(of(&[4, 3, 2, 1], 990), 4);

        let hundred: Vec<_> = (1..=100).collect();
        assert_eq!(of(&hundred, 990), 99);
        assert_eq!(of(&hundred, 500), 50);
    }

    #[test]
    fn one_line() {
        assert_eq!(
            of(&[10, 30]).to_string(),
            "sent=3 received=2 rate=1.0 p50=10.0 p90=30.0 p99=30.0 p999=30.0 max=30.0 mean=20.0"
        );
        assert_eq!(
            of(&[]).to_string(),
            "sent=1 received=0 rate=0.0 p50=0.0 p90=0.0 p99=0.0 p999=0.0 max=0.0 mean=0.0"
        );
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What the paper measured: two servers, 100 Gbit/s, all receive work on one core, Linux 5.4
//! (Munikar et al., ICDCS 2022, Figures 8 to 13).

/// What an experiment is.
pub fn title(experiment: &str) -> &'static str {
    match experiment {
        "idle" => "UDP echo in a container",
        "high-load" => "UDP echo in a container; its load is of class high itself",
        "rate" => "the highest rate of a UDP flow to a container, of class high",
        "overlay" => "UDP echo in a container, UDP bulk to its neighbour",
        "host" => "UDP echo on the host, UDP bulk to the host: no overlay",
        "sweep" => "UDP echo in a container, UDP bulk to its neighbour",
        "memcached" => "memcached in a container, UDP bulk to its neighbour",
        "receiver" => "memcached beside two tasks that want its processor, UDP bulk to a neighbour",
        "values-1k" => "memcached stores values of 1 KiB, one after the other",
        "values-1m" => "memcached stores values of 1 MiB, one after the other",
        "nginx" => "nginx in a container, TCP bulk to its neighbour",
        _ => "",
    }
}

/// What the paper has for that experiment and mode, against vanilla.
pub fn figure(experiment: &str, load: u32, mode: &str) -> Option<&'static str> {
    Some(match (experiment, mode) {
        ("high-load", "sync") => "p50, p99 about -50 % (300 kpps)",
        ("high-load", "batch") => "between vanilla and sync",
        ("rate", "sync") => "about 300 of 400 kpps",
        ("rate", "batch") => "the same, about 400 kpps",
        ("overlay", "sync") => "mean, p99 about -50 %",
        ("overlay", "batch") => "mean better than p99",
        ("host", _) => "no gain",
        ("sweep", _) if load >= 100 => "1-2 ms, as vanilla",
        ("memcached", "sync" | "batch") => "rate almost x2, mean -47 %, p99 -27 %",
        ("nginx", "sync") => "latency -22 %, rate +25 %",
        ("nginx", "batch") => "latency -14 %, rate +15 %",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_modes_of_the_paper() {
        assert_eq!(figure("rate", 200, "sync"), Some("about 300 of 400 kpps"));
        assert_eq!(figure("sweep", 60, "sync"), None);
        assert_eq!(figure("overlay", 65, "express"), None);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::{
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf, //
};

use clap::{
    Parser,
    ValueEnum, //
};

/// Makes rules of the kernel module prism from the labels of Docker's containers.
///
/// A container with the label io.prism.class=CLASS has rules of that class for what comes to it through
/// overlay networks, published ports and bridges that are routed, as long as it runs.
/// io.prism.ports=6379/tcp,8000-8100/udp names its ports, without which all are meant; io.prism.rate=50000 is the rate of each rule in packets a
/// second, and io.prism.dscp=ef is what packets must have.
///
/// Only rules that the daemon has made are changed and removed. They are known by their names, which
/// begin with "docker:". They stay when the daemon stops.
#[derive(Parser)]
#[command(name = "prismd", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// The socket of the Docker engine.
    #[arg(
        long,
        value_name = "SOCKET",
        env = "DOCKER_HOST",
        default_value = DEFAULT_SOCKET,
        value_parser = socket
    )]
    pub(crate) docker: Socket,
    /// Where to answer Prometheus, at /metrics; none for nowhere.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "PRISMD_METRICS",
        default_value = "127.0.0.1:9754",
        value_parser = metrics
    )]
    pub(crate) metrics: Metrics,
    /// What to log: messages that are at least that important.
    #[arg(long, value_name = "LEVEL", env = "PRISMD_LOG", default_value = "info")]
    pub(crate) log: Level,
    /// Make the rules those of the containers that run now, and exit: with 2 if not all was done.
    #[arg(long, conflicts_with_all = ["check", "remove"])]
    pub(crate) once: bool,
    /// Show what --once would change, and exit: with 1 if anything, or if a label is wrong or Docker does not
    /// tell of a container.
    #[arg(long, conflicts_with = "remove")]
    pub(crate) check: bool,
    /// Remove all rules that the daemon has made, and exit: with 2 if some stay. Docker is not asked.
    #[arg(long)]
    pub(crate) remove: bool,
}

/// Where to answer Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metrics {
    /// Nowhere.
    None,
    /// There.
    At(SocketAddr),
}

/// How important a message is.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    /// Something does not work.
    Error,
    /// Something is not as somebody wants it.
    Warn,
    /// What is done.
    Info,
    /// More of it.
    Debug,
}

const DEFAULT_SOCKET: &str = "unix:///run/docker.sock";

/// Where an engine answers, or what is wrong with that. The environment may be meant for Docker's own
/// client, and is not looked at where the engine is not asked.
pub(crate) type Socket = Result<PathBuf, String>;

fn socket(text: &str) -> Result<Socket, Infallible> {
    let text = match text {
        // As the client has it.
        "" => DEFAULT_SOCKET,
        text => text,
    };
    let path = match text.split_once("://") {
        Some(("unix", path)) => Ok(path.into()),
        Some(_) => Err("only an engine of this host has containers here: unix://PATH"),
        None if text.starts_with('/') => Ok(text.into()),
        None => Err("expected unix://PATH"),
    };

    Ok(path
        .map_err(|why| format!("'{text}' is no socket for --docker <SOCKET> (DOCKER_HOST): {why}")))
}

fn metrics(text: &str) -> Result<Metrics, String> {
    match text {
        "none" => Ok(Metrics::None),
        _ => text
            .parse()
            .map(Metrics::At)
            .map_err(|_| "expected an address and a port such as [::1]:9754, or none".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cli(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["prismd"], args].concat())
    }

    #[test]
    fn metrics_are_for_this_host_alone() {
        let Metrics::At(address) = cli(&[]).unwrap().metrics else {
            panic!("there are none");
        };

        assert!(address.ip().is_loopback(), "{address}");
        assert_eq!(cli(&["--metrics", "none"]).unwrap().metrics, Metrics::None);
        assert_eq!(
            cli(&["--metrics", "[::]:80"]).unwrap().metrics,
            Metrics::At("[::]:80".parse().unwrap())
        );
        for bad in ["", "localhost", "1.2.3.4", "1.2.3.4:x"] {
            assert!(cli(&["--metrics", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn sockets_are_of_this_host() {
        for (text, path) in [("unix:///a", "/a"), ("/a", "/a"), ("", "/run/docker.sock")] {
            let socket = cli(&["--docker", text]).unwrap().docker;

            assert_eq!(socket, Ok(path.into()), "{text}");
        }
        for text in ["tcp://1.2.3.4:2375", "a"] {
            assert!(cli(&["--docker", text]).unwrap().docker.is_err(), "{text}");
        }
    }

    #[test]
    fn one_thing_at_a_time() {
        for (one, other) in [
            ("--once", "--check"),
            ("--once", "--remove"),
            ("--check", "--remove"),
        ] {
            assert!(cli(&[one]).is_ok());
            assert!(cli(&[one, other]).is_err(), "{one} {other}");
        }
    }
}

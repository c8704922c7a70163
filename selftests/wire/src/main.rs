// SPDX-License-Identifier: GPL-2.0

//! Traffic for the selftests: sends it in one network namespace, receives it in another, and says
//! what arrived, as `key=value` words on one line.
//!
//! Both ends of a flow are threads of one process. The receiver is therefore ready before the first
//! packet is sent, and the sender can keep no more packets under way than nobody loses.

mod cable;
mod cases;
mod content;
mod end;
mod errno;
mod failing;
mod frame;
mod fuzz;
mod inject;
mod link;
mod netns;
mod packet;
mod reload;
mod rtt;
mod rules;
mod serve;
mod stop;
mod tap;
mod tcp;
mod udp;

use anyhow::Result;
use clap::Parser;

/// Sends and receives test traffic between network namespaces.
#[derive(Parser)]
enum Command {
    /// Datagrams of given sizes, each checked byte for byte.
    Udp(udp::Options),
    /// A connection with checked content in one direction or both.
    Tcp(tcp::Options),
    /// Round trips of one datagram at a time.
    Rtt(rtt::Options),
    /// Frames made field by field, among them malformed ones.
    Inject(inject::Options),
    /// Random, mutated and mergeable frames, whose effects are compared between configurations.
    Fuzz(fuzz::Options),
    /// Shows what packet sockets see until the process is told to end.
    Sniff(tap::Options),
    /// Joins two tap devices, as a cable joins two ports.
    Cable(cable::Options),
    /// Makes, changes and removes many rules.
    #[command(subcommand)]
    Rules(rules::Options),
    /// Loads and unloads the module over and over.
    Reload(reload::Options),
    /// Does one thing with a file and names the error it gets.
    #[command(subcommand)]
    Errno(errno::Options),
    /// Does one thing over and over, each time with another of the kernel's calls made to fail.
    Failing(failing::Options),
    /// Does what it reads, one command after the other.
    Serve,
}

impl Command {
    fn run(&self) -> Result<()> {
        match self {
            Self::Udp(options) => udp::run(options),
            Self::Tcp(options) => tcp::run(options),
            Self::Rtt(options) => rtt::run(options),
            Self::Inject(options) => inject::run(options),
            Self::Fuzz(options) => fuzz::run(options),
            Self::Sniff(options) => tap::run(options),
            Self::Cable(options) => cable::run(options),
            Self::Rules(options) => rules::run(options),
            Self::Reload(options) => reload::run(options),
            Self::Errno(options) => errno::run(options),
            Self::Failing(options) => failing::run(options),
            Self::Serve => serve::run(),
        }
    }
}

fn main() -> Result<()> {
    Command::parse().run()
}

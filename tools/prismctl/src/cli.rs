// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::path::PathBuf;

use clap::{
    Args,
    Parser,
    Subcommand,
    ValueEnum, //
};

/// Controls the kernel module prism: priorities on the receive side of container networks.
///
/// What changes something needs root, and either all of it is done or none.
#[derive(Parser)]
#[command(name = "prismctl", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// In files and pipes, too.
    Always,
    /// Not at all.
    Never,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what is on, and why something is not accelerated.
    Status,
    /// Add, change, remove or show rules.
    #[command(subcommand)]
    Rule(Rule),
    /// Show or set the mode: off, batch, sync or express.
    Mode {
        /// The new mode.
        mode: Option<String>,
    },
    /// Show or set whether what is not of class high waits, by class.
    Isolate {
        /// on or off.
        isolate: Option<String>,
    },
    /// Show knobs.
    Get {
        /// All where none is named.
        #[arg(value_name = "KNOB")]
        knobs: Vec<String>,
    },
    /// Set knobs.
    Set {
        /// Such as quantum=4.
        #[arg(value_name = "KNOB=VALUE", required = true)]
        values: Vec<String>,
    },
    /// Make the configuration what a file says.
    ///
    /// Rules that the file does not have are removed, but for those that prismd made for containers;
    /// knobs that it does not name stay. A file that is wrong anywhere changes nothing.
    Apply {
        #[command(flatten)]
        file: ConfigFile,
        /// Only check the file, without the module.
        #[arg(long)]
        check: bool,
    },
    /// Write the configuration as a file, without the rules that prismd made for containers.
    Save {
        /// Where to; standard output without it.
        file: Option<PathBuf>,
    },
    /// Show what applying a file would change. Exits with 1 if anything.
    Diff {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Look for what slows container networks down, and say what mends it.
    Doctor {
        /// For how many seconds to look.
        #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
        wait: u64,
    },
    /// Show what happens now: rules, CPUs, latency by class and by rule, drops.
    ///
    /// HALF, 99% and ALL are what so many of the packets took at most; a w behind those of a rule says that
    /// none was delivered, and that this is how long packets waited.
    ///
    /// Keys: tab for what is shown, s for the order, p to pause, arrows to scroll, q to end.
    Top {
        /// Print once, as text.
        #[arg(long, conflicts_with = "batch")]
        once: bool,
        /// Print so many times, as text.
        #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u64).range(1..))]
        batch: Option<u64>,
        /// For how long to count each time.
        #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
        interval: u64,
        /// Measure how long packets take, as long as this runs. It costs each packet some readings of a
        /// clock.
        #[arg(long)]
        latency: bool,
    },
    /// Tell what becomes of packets, stage by stage, and why one is handed back to the kernel.
    ///
    /// Until it is interrupted, or one of the limits is reached.
    Trace {
        /// Such as vni=42 destination=10.0.0.2 destination_port=6379, or the name of a rule; all packets
        /// without it.
        flow: Vec<String>,
        /// End after so many packets.
        #[arg(long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
        /// End after so many seconds.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        seconds: Option<u64>,
    },
    /// Show the counters: of all, or of each rule and CPU.
    Stats {
        /// Those that are zero, too.
        #[arg(long)]
        all: bool,
        /// Of each rule: packets, bytes, drops, and how long half of its packets and 99 % took while that
        /// was measured.
        #[arg(long)]
        rules: bool,
        /// Of each CPU: packets that were looked up, went at once, waited, were dropped, and were left to the
        /// kernel.
        #[arg(long)]
        cpus: bool,
        /// Beside --rules, how many packets took how long, as bars.
        #[arg(long, requires = "rules")]
        histogram: bool,
    },
}

#[derive(Args)]
pub(crate) struct ConfigFile {
    /// A TOML file; - for standard input.
    pub(crate) file: PathBuf,
    /// Keep rules that the file does not have.
    #[arg(long)]
    pub(crate) keep: bool,
}

#[derive(Subcommand)]
pub(crate) enum Rule {
    /// Add a rule, and enable it.
    ///
    /// Fields that are not named match anything: vni, protocol, source, destination, source_port,
    /// destination_port and dscp tell flows apart; class, rate and gro say what becomes of them.
    Add {
        /// Its name.
        name: String,
        /// Such as vni=42 protocol=tcp destination_port=6379.
        #[arg(value_name = "FIELD=VALUE", required = true)]
        fields: Vec<String>,
        /// Leave it disabled.
        #[arg(long)]
        disabled: bool,
    },
    /// Change fields of a rule.
    Set {
        /// Its name.
        name: String,
        /// Such as rate=50000 or enabled=no.
        #[arg(value_name = "FIELD=VALUE", required = true)]
        fields: Vec<String>,
    },
    /// Remove rules.
    #[command(visible_alias = "delete")]
    Del {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// List all rules with what they have met.
    List,
    /// Show all of a rule.
    Show {
        /// Its name.
        name: String,
    },
}

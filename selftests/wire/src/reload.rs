// SPDX-License-Identifier: GPL-2.0

//! Loads and unloads the module over and over, with rules and a mode in between.

use std::{
    ffi::CString,
    fs,
    fs::File,
    path::{
        Path,
        PathBuf, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use anyhow::{
    Context,
    Result, //
};
use clap::Args;
use nix::kmod::{
    delete_module,
    finit_module,
    DeleteModuleFlags,
    ModuleInitFlags, //
};

use crate::errno;

const SYSFS: &str = "/sys/kernel/prism";
const RULES: &str = "/sys/kernel/config/prism/rules";

/// Options of `reload`.
#[derive(Args)]
pub struct Options {
    /// The module's file.
    module: PathBuf,
    /// How often.
    #[arg(long)]
    count: u32,
    /// Milliseconds in mode sync each time.
    #[arg(long, default_value_t = 10)]
    stay: u64,
    /// Each a rule: FIELD=VALUE, separated by commas.
    #[arg(long = "rule")]
    rules: Vec<String>,
}

/// Does it, and says how many packets ran to completion in all.
pub fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let mut completed = 0;

    for round in 0..options.count {
        completed += once(options).with_context(|| format!("round {round}"))?;
    }
    println!(
        "done={} completed={completed} ms={}",
        options.count,
        start.elapsed().as_millis()
    );
    Ok(())
}

fn once(options: &Options) -> Result<u64> {
    let file = File::open(&options.module).context("the module")?;
    finit_module(&file, &CString::default(), ModuleInitFlags::empty()).context("loading")?;

    for (number, rule) in options.rules.iter().enumerate() {
        add(&format!("{RULES}/reload{number}"), rule)?;
    }
    errno::write(&format!("{SYSFS}/mode"), "sync").context("mode sync")?;
    thread::sleep(Duration::from_millis(options.stay));
    let completed = fs::read_to_string(format!("{SYSFS}/stats/completed"))?;

    for number in 0..options.rules.len() {
        fs::remove_dir(Path::new(RULES).join(format!("reload{number}")))?;
    }
    delete_module(c"prism", DeleteModuleFlags::O_NONBLOCK).context("unloading")?;
    Ok(completed.trim().parse()?)
}

fn add(dir: &str, rule: &str) -> Result<()> {
    fs::create_dir(dir)?;
    for field in rule.split(',') {
        let (field, value) = field.split_once('=').unwrap_or((field, ""));
        errno::write(&format!("{dir}/{field}"), value)
            .with_context(|| format!("{field}={value}"))?;
    }
    errno::write(&format!("{dir}/enabled"), "1").context("enabled")
}

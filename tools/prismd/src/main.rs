// SPDX-License-Identifier: GPL-2.0

//! `prismd` makes rules of the kernel module prism from the labels of Docker's containers.

mod backoff;
mod cli;
mod container;
mod daemon;
mod desired;
mod engine;
mod error;
mod events;
mod http;
mod kernel;
mod label;
mod log;
mod looks;
mod own;
mod report;
mod sync;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::Write,
    path::Path,
    process::ExitCode,
    sync::Arc, //
};

use clap::Parser;
use prism_config::{
    LeftOutFile,
    Lock,
    Module,
    LEFT_OUT, //
};
use tokio::signal::unix::{
    signal,
    Signal,
    SignalKind, //
};
use tracing::{
    error,
    info,
    level_filters::LevelFilter,
    warn, //
};

use self::{
    cli::{
        Cli,
        Level,
        Metrics, //
    },
    daemon::{
        Calls,
        Daemon, //
    },
    engine::Engine,
    error::Error,
    kernel::{
        Running,
        Uevents, //
    },
    report::Report,
    sync::Todo,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();

    log::start(match cli.log {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    });
    let result = match &cli {
        Cli { remove: true, .. } => remove(),
        Cli { once: true, .. } => once(&cli).await,
        Cli { check: true, .. } => check(&cli).await,
        _ => watch(&cli).await,
    };

    result.unwrap_or_else(|why| {
        error!("{why}");
        ExitCode::from(2)
    })
}

/// The socket as the engine's client wants it.
fn socket(cli: &Cli) -> Result<String, Error> {
    match &cli.docker {
        Ok(path) => Ok(path.to_string_lossy().into_owned()),
        Err(why) => Err(Error::Socket(why.clone())),
    }
}

/// Follows the engine until it is told to stop.
async fn watch(cli: &Cli) -> Result<ExitCode, Error> {
    let path = socket(cli)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // From here on, as it would end who does not wait for it.
    let hangup = signal(SignalKind::hangup())?;
    let report = Report::default();
    let calls = Arc::new(Calls::default());

    if let Metrics::At(address) = cli.metrics {
        tokio::spawn(http::serve_at(address, report.clone(), Running));
    }
    tokio::spawn(watch_module(calls.clone()));
    tokio::spawn(watch_hangup(hangup, calls.clone()));
    let left_out = LeftOutFile::new(Path::new(LEFT_OUT));
    let mut daemon = Daemon::new(Running, report).with_left_out(left_out);

    tokio::select! {
        () = daemon.run(&path, &calls) => (),
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
    info!("stopped; rules stay");
    Ok(ExitCode::SUCCESS)
}

/// Says when the module comes or goes.
async fn watch_module(calls: Arc<Calls>) {
    let watched = async {
        let uevents = Uevents::new()?;

        loop {
            uevents.module().await?;
            calls.changed.notify_one();
        }
    };
    let result: std::io::Result<Infallible> = watched.await;
    let Err(why) = result;

    warn!("the kernel does not tell when the module is loaded ({why}): after that, send SIGHUP");
}

/// Says when somebody wants containers and rules to be looked at.
async fn watch_hangup(mut hangup: Signal, calls: Arc<Calls>) {
    while hangup.recv().await.is_some() {
        calls.changed.notify_one();
        calls.anew.notify_one();
    }
}

/// What is known of the containers that run now.
async fn look(cli: &Cli) -> Result<Daemon<Running>, Error> {
    let engine = Engine::connect(&socket(cli)?).await?;
    let mut daemon = Daemon::new(Running, Report::default());

    daemon.reload(&engine).await?;
    Ok(daemon)
}

/// Makes the rules what they are to be, once.
async fn once(cli: &Cli) -> Result<ExitCode, Error> {
    // Before anything is known, as a daemon may change rules and what is known grows old.
    let _lock = Lock::take()?;
    let mut daemon = look(cli).await?;

    match daemon.settle()? {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Error::Incomplete),
    }
}

/// Shows what would be changed.
async fn check(cli: &Cli) -> Result<ExitCode, Error> {
    let daemon = look(cli).await?;
    let todo = daemon.todo(&Module::open()?)?;

    write!(std::io::stdout(), "{todo}")?;
    for name in &todo.foreign {
        warn!("rule {name} has a name of ours, but is not of our making: it is left alone");
    }
    let is_fine = todo.is_empty() && daemon.are_containers_good();
    Ok(ExitCode::from(u8::from(!is_fine)))
}

/// Removes all rules that are ours.
fn remove() -> Result<ExitCode, Error> {
    let module = Module::open()?;
    let _lock = Lock::take()?;
    let todo = Todo::new(&module, &BTreeMap::new(), |_| true)?;
    let done = todo.carry_out(&module);

    info!("{} rules removed", done.removed);
    for name in &todo.foreign {
        warn!("rule {name} has a name of ours, but is not of our making: it stays");
    }
    for failure in done.failed.values() {
        error!("{failure}");
    }
    match done.failed.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Error::Incomplete),
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A connection whose content both ends check, in one direction or both at once.

use std::{
    io::{
        ErrorKind,
        Read,
        Write, //
    },
    net::{
        Shutdown,
        TcpListener,
        TcpStream, //
    },
    os::fd::AsFd,
    thread,
    time::{
        Duration,
        Instant, //
    }, //
};

use anyhow::{
    bail,
    Context,
    Result, //
};
use clap::Args;
use nix::poll::{
    poll,
    PollFd,
    PollFlags,
    PollTimeout, //
};

use crate::{
    content,
    end::Ends,
    stop, //
};

const CHUNK: usize = 1 << 16;
/// How long a connection may stand still.
const PATIENCE: Duration = Duration::from_secs(20);
/// The seeds of the two directions.
const UP: u64 = 1;
const DOWN: u64 = 2;

/// Options of `tcp`.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    ends: Ends,
    /// KiB from the client to the server.
    #[arg(long, default_value_t = 1024)]
    up: u64,
    /// KiB from the server to the client.
    #[arg(long, default_value_t = 0)]
    down: u64,
    /// Sends in both directions until SIGTERM instead.
    #[arg(long)]
    endless: bool,
    /// KiB to send in a second at most, in each direction; 0 is no limit.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Says `ready` when both ends have a connection.
    #[arg(long)]
    ready: bool,
}

/// One direction of a connection at one end.
#[derive(Clone, Copy)]
struct Way {
    seed: u64,
    bytes: u64,
    rate: u32,
}

/// Runs the connection and prints what arrived.
pub fn run(options: &Options) -> Result<()> {
    stop::catch()?;
    let bytes = |kib: u64| if options.endless { u64::MAX } else { kib << 10 };
    let up = Way {
        seed: UP,
        bytes: bytes(options.up),
        rate: options.rate,
    };
    let down = Way {
        seed: DOWN,
        bytes: bytes(options.down),
        rate: options.rate,
    };
    let start = Instant::now();

    let listener = options
        .ends
        .at_receiver(|| Ok(TcpListener::bind(options.ends.listen())?))?;
    let target = options.ends.target();
    let client = options.ends.at_sender(|| {
        TcpStream::connect_timeout(&target, PATIENCE).with_context(|| target.to_string())
    })?;
    let server = accept(&listener)?;
    if options.ready {
        println!("ready");
    }
    let (sent, received) = thread::scope(|scope| {
        let serving = scope.spawn(|| exchange(&server, down, up));
        let client = exchange(&client, up, down)?;
        let server = serving.join().expect("the server does not panic")?;
        Ok::<_, anyhow::Error>(((client.0, server.0), (server.1, client.1)))
    })?;

    println!(
        "up={} down={} lost={} ms={}",
        received.0,
        received.1,
        (sent.0 - received.0) + (sent.1 - received.1),
        start.elapsed().as_millis(),
    );
    Ok(())
}

/// The server's end. It need not be there where the client has one: the kernel forgets who asks where
/// it has no memory for another answer.
fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];

    if poll(&mut fds, PollTimeout::try_from(PATIENCE)?)? == 0 {
        bail!("the server has no connection after {PATIENCE:?}, but the client has one");
    }
    Ok(listener.accept()?.0)
}

/// Sends and receives at once. Returns how many bytes of each.
fn exchange(stream: &TcpStream, out: Way, inward: Way) -> Result<(u64, u64)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;

    thread::scope(|scope| {
        let sending = scope.spawn(|| send(stream, out));
        let received = receive(stream, inward)?;
        let sent = sending.join().expect("the sender does not panic")?;
        Ok((sent, received))
    })
}

fn send(mut stream: &TcpStream, way: Way) -> Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    let start = Instant::now();

    while at < way.bytes && !(way.bytes == u64::MAX && stop::requested()) {
        if way.rate > 0 {
            let due = Duration::from_millis(at * 1000 / (u64::from(way.rate) << 10));
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
        let chunk = if way.rate > 0 { CHUNK / 8 } else { CHUNK };
        let len = (way.bytes - at).min(chunk as u64) as usize;
        content::fill(way.seed, at, &mut buffer[..len]);
        stream
            .write_all(&buffer[..len])
            .with_context(|| format!("after {at} bytes sent"))?;
        at += len as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    Ok(at)
}

fn receive(mut stream: &TcpStream, way: Way) -> Result<u64> {
    let mut buffer = vec![0; CHUNK];
    let mut expected = vec![0; CHUNK];
    let mut at = 0;

    loop {
        let len = match stream.read(&mut buffer) {
            Ok(0) => return Ok(at),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).with_context(|| format!("after {at} bytes received")),
        };
        content::fill(way.seed, at, &mut expected[..len]);
        if buffer[..len] != expected[..len] {
            bail!("corrupt content in the {len} bytes after {at}");
        }
        at += len as u64;
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Bulk traffic that costs its two ends little: sends datagrams at a rate, in bursts, and receives them.
//!
//! A burst is one system call, which the kernel cuts into packets below the network stack
//! (`UDP_SEGMENT`), as servers of QUIC do; the receiver looks into its socket now and then, and what does
//! not fit there meanwhile is lost there. So both leave the machine to the kernel's receive path. Where
//! two guests share two processors, sockperf cannot load that path: it spins between messages, and sending
//! one takes longer than receiving it.

use std::{
    convert::Infallible,
    env,
    error::Error,
    io::IoSliceMut,
    net::UdpSocket,
    os::fd::AsRawFd,
    process::ExitCode,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use nix::{
    errno::Errno,
    sys::socket::{
        recvmmsg,
        setsockopt,
        sockopt::{
            RcvBufForce,
            UdpGsoSegment, //
        },
        MsgFlags,
        MultiHeaders, //
    },
};

/// The size of a datagram, in bytes.
const SIZE: u16 = 64;

/// The datagrams of a burst: as many packets as the kernel's receive side takes at a time.
const BURST: u16 = 64;

/// How often the receiver looks.
const LOOK: Duration = Duration::from_millis(20);

/// What may wait for the receiver, in bytes of the kernel's memory.
const BUFFER: usize = 1 << 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["send", to, rate] => send(to, rate),
        ["receive", at] => receive(at),
        _ => Err(
            "usage: bulk send ADDRESS:PORT PACKETS_PER_SECOND | bulk receive ADDRESS:PORT".into(),
        ),
    };
    let Err(error) = result;

    eprintln!("bulk: {error}");
    ExitCode::FAILURE
}

/// Sends for ever. The rate is a limit: what is late is not made up for.
fn send(to: &str, rate: &str) -> Result<Infallible, Box<dyn Error>> {
    let rate: f64 = rate.parse()?;
    let gap = Duration::try_from_secs_f64(f64::from(BURST) / rate)?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let burst = vec![0; usize::from(SIZE) * usize::from(BURST)];
    let mut next = Instant::now();

    socket.connect(to)?;
    setsockopt(&socket, UdpGsoSegment, &i32::from(SIZE))?;
    loop {
        // Lost if the device is full, or if nobody listens.
        let _ = socket.send(&burst);
        next += gap;
        match next.checked_duration_since(Instant::now()) {
            Some(early) => thread::sleep(early),
            None => next = Instant::now(),
        }
    }
}

/// Receives for ever.
fn receive(at: &str) -> Result<Infallible, Box<dyn Error>> {
    let socket = UdpSocket::bind(at)?;

    setsockopt(&socket, RcvBufForce, &BUFFER)?;
    loop {
        drain(&socket)?;
        thread::sleep(LOOK);
    }
}

/// Reads what is there, many datagrams at a time.
fn drain(socket: &UdpSocket) -> nix::Result<()> {
    loop {
        let mut headers = MultiHeaders::<()>::preallocate(usize::from(BURST), None);
        let mut content = [[0; SIZE as usize]; BURST as usize];
        let mut slices: Vec<_> = content.iter_mut().map(|to| [IoSliceMut::new(to)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;

        match recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, flags, None) {
            Ok(_) => (),
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
}

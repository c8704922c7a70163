// SPDX-License-Identifier: GPL-2.0

//! The cable between two guests, with bulk traffic on it for a container of the first or for that host,
//! and requests to another of its containers.
//!
//! Each end is a Unix socket on which QEMU connects (`-netdev stream`: a length of four bytes in
//! front of each frame). Both come from here and not from a guest, as an emulated sender takes the
//! processor that the receiver needs. Bulk traffic that does not fit into the receiver's socket is
//! dropped, as a switch does it; other frames wait.

mod asks;
mod frame;

use std::{
    env,
    error::Error,
    fs,
    io::{
        self,
        BufRead,
        Read,
        Write, //
    },
    os::{
        fd::AsFd,
        unix::net::{
            UnixListener,
            UnixStream, //
        },
    },
    process::ExitCode,
    sync::{
        mpsc,
        Arc,
        Mutex,
        MutexGuard, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use nix::{
    poll::{
        poll,
        PollFd,
        PollFlags,
        PollTimeout, //
    },
    sys::socket::{
        setsockopt,
        sockopt::SndBuf, //
    },
};

use asks::{
    Ask,
    Asked, //
};
use frame::{
    datagram,
    Tunnel, //
};

const USAGE: &str = "usage: cable SERVER_SOCKET CLIENT_SOCKET RATES VNI PORT \
    OUTER_SOURCE OUTER_DESTINATION SOURCE DESTINATION\n\
    RATES is a file of lines `FLOW PACKETS_PER_SECOND`, 0 for none, where FLOW is overlay (VXLAN, from\n\
    SOURCE to DESTINATION) or host (between the OUTER ones); each of the last four is MAC,IP.\n\
    `ask REQUESTS_PER_SECOND MAC,IP PORT` asks memcached there over UDP, from SOURCE, until `ask 0`, which\n\
    has `answers SENT ANSWERED P50_US P99_US` printed a second later.";

/// Frames that follow each other without a gap.
const BURST: u32 = 16;
/// What the kernel keeps for the receiver, in bytes of its memory before it doubles them: some 50 frames of
/// bulk traffic. QEMU reads all of it at once, and queues without limit what the guest's ring has no room for.
/// Its queue does not grow as long as that is less than the 64 descriptors that NAPI makes free at a time, however
/// long the ring is.
const BUFFER: usize = 24 << 10;
/// Bytes in a datagram of bulk traffic.
const CONTENT: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();

    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cable: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let [paths @ .., vni, port, outer_source, outer_destination, source, destination] = arguments
    else {
        return Err(USAGE.into());
    };
    let [server, client, rates] = paths else {
        return Err(USAGE.into());
    };
    let (from, to, port) = (source.parse()?, destination.parse()?, port.parse()?);
    let tunnel = Tunnel {
        from: outer_source.parse()?,
        to: outer_destination.parse()?,
        vni: vni.parse()?,
    };
    let frames = Frames {
        overlay: tunnel.wrap(&datagram(&from, &to, port, &[0; CONTENT])),
        host: datagram(&tunnel.from, &tunnel.to, port, &[0; CONTENT]),
    };

    let (server, client) = (UnixListener::bind(server)?, UnixListener::bind(client)?);
    let (server, client) = (server.accept()?.0, client.accept()?.0);
    setsockopt(&server, SndBuf, &BUFFER)?;
    let to_server = Arc::new(Mutex::new(server.try_clone()?));
    let to_client = Mutex::new(client.try_clone()?);
    let wanted = Arc::new(Mutex::new(Wanted::default()));
    let asked = Arc::new(Asked::default());
    let (ask, asks) = mpsc::channel();

    let answered = asked.clone();
    thread::spawn(move || {
        let _ = forward(server, &to_client, |frame| answered.is_answer(frame));
    });
    let (sender, read_by_sender) = (to_server.clone(), wanted.clone());
    thread::spawn(move || send_bulk(&frames, &read_by_sender, &sender));
    let sender = to_server.clone();
    thread::spawn(move || {
        asked.serve(&asks, &from, |frame| {
            let frame = with_len(&tunnel.wrap(frame));

            locked(&sender).write_all(&frame).is_ok()
        });
    });
    let rates = io::BufReader::new(fs::File::open(rates)?);
    thread::spawn(move || {
        for line in rates.lines().map_while(io::Result::ok) {
            match line.parse() {
                Ok(Line::Bulk(bulk)) => *locked(&wanted) = bulk,
                // Who asks has gone with the server.
                Ok(Line::Ask(who)) => drop(ask.send(who)),
                Err(error) => eprintln!("cable: \"{line}\": {error}"),
            }
        }
    });
    forward(client, &to_server, |_| false)
}

/// Frames of bulk traffic.
struct Frames {
    overlay: Vec<u8>,
    host: Vec<u8>,
}

/// A flow of bulk traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Flow {
    #[default]
    Overlay,
    Host,
}

/// The bulk traffic that is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Wanted {
    flow: Flow,
    /// Packets per second.
    rate: u32,
}

/// A line that says what is wanted.
#[derive(Debug, PartialEq)]
enum Line {
    Bulk(Wanted),
    Ask(Option<Ask>),
}

impl std::str::FromStr for Line {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self> {
        let (flow, rest) = text.trim().split_once(' ').ok_or("expected FLOW RATE")?;
        let flow = match flow {
            "overlay" => Flow::Overlay,
            "host" => Flow::Host,
            "ask" if rest == "0" => return Ok(Self::Ask(None)),
            "ask" => return Ok(Self::Ask(Some(rest.parse()?))),
            _ => return Err("no such flow".into()),
        };

        Ok(Self::Bulk(Wanted {
            flow,
            rate: rest.parse()?,
        }))
    }
}

/// Hands whole frames on, so that those of two senders do not mix, but for those that are `taken`.
fn forward(
    mut from: UnixStream,
    to: &Mutex<UnixStream>,
    taken: impl Fn(&[u8]) -> bool,
) -> Result<()> {
    let mut buffer = vec![0; 1 << 17];
    let mut len = 0;

    loop {
        let got = from.read(&mut buffer[len..])?;
        if got == 0 {
            return Ok(());
        }
        len += got;
        let whole = whole_frames(&buffer[..len]);

        locked(to).write_all(&remaining(&buffer[..whole], &taken))?;
        buffer.copy_within(whole..len, 0);
        len -= whole;
    }
}

/// Those of these frames that are not `taken`.
fn remaining(mut frames: &[u8], taken: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut remaining = Vec::with_capacity(frames.len());

    while let Some((frame, rest)) = first_frame(frames) {
        if !taken(&frame[4..]) {
            remaining.extend(frame);
        }
        frames = rest;
    }
    remaining
}

/// The first frame with its length, and what is behind it.
fn first_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = u32::from_be_bytes(*bytes.first_chunk()?) as usize;

    bytes.split_at_checked(len.checked_add(4)?)
}

/// How many of these bytes are frames that have all of theirs.
fn whole_frames(bytes: &[u8]) -> usize {
    let mut rest = bytes;

    while let Some((_, behind)) = first_frame(rest) {
        rest = behind;
    }
    bytes.len() - rest.len()
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Sends bursts at the rate that is wanted, until the receiver is gone.
fn send_bulk(frames: &Frames, wanted: &Mutex<Wanted>, to: &Mutex<UnixStream>) {
    let (overlay, host) = (burst(&frames.overlay), burst(&frames.host));
    let mut next = Instant::now();

    loop {
        let Wanted { flow, rate } = *locked(wanted);
        if rate == 0 {
            thread::sleep(Duration::from_millis(20));
            continue;
        }
        next += Duration::from_secs_f64(f64::from(BURST) / f64::from(rate));
        match next.checked_duration_since(Instant::now()) {
            Some(early) => thread::sleep(early),
            None => next = Instant::now(),
        }
        let mut to = locked(to);
        let burst = match flow {
            Flow::Overlay => &overlay,
            Flow::Host => &host,
        };
        if has_room(&to) && to.write_all(burst).is_err() {
            return;
        }
    }
}

/// Such frames, one behind the other.
fn burst(frame: &[u8]) -> Vec<u8> {
    with_len(frame).repeat(BURST as usize)
}

/// A frame with its length in front of it.
fn with_len(frame: &[u8]) -> Vec<u8> {
    [&(frame.len() as u32).to_be_bytes()[..], frame].concat()
}

/// Whether less than a quarter of the socket's buffer is used.
fn has_room(to: &UnixStream) -> bool {
    let mut fds = [PollFd::new(to.as_fd(), PollFlags::POLLOUT)];

    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_frames_only() {
        let bytes = [0, 0, 0, 2, 1, 2, 0, 0, 0, 3, 1];

        assert_eq!(whole_frames(&bytes), 6);
        assert_eq!(whole_frames(&bytes[..5]), 0);
        assert_eq!(whole_frames(&bytes[..3]), 0);
    }

    #[test]
    fn frames_that_are_taken_go_no_further() {
        let frames = [0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3];

        assert_eq!(remaining(&frames, |_| false), frames);
        assert_eq!(remaining(&frames, |frame| frame == [1, 2]), frames[6..]);
        assert_eq!(remaining(&frames, |frame| !frame.is_empty()), [0; 4]);
    }

    #[test]
    fn what_is_wanted() {
        let wanted = |text: &str| text.parse::<Line>().ok();

        assert_eq!(
            wanted("host 100"),
            Some(Line::Bulk(Wanted {
                flow: Flow::Host,
                rate: 100
            }))
        );
        assert_eq!(wanted("overlay 0"), Some(Line::Bulk(Wanted::default())));
        assert_eq!(wanted("ask 0"), Some(Line::Ask(None)));
        assert!(wanted("ask 9 02:00:00:00:00:01,10.0.0.1 9").is_some());
        assert_eq!(wanted("ask 9"), None);
        assert_eq!(wanted("100"), None);
        assert_eq!(wanted("moon 100"), None);
    }
}

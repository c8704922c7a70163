// SPDX-License-Identifier: GPL-2.0

//! A flow of datagrams: each is numbered, has content of its own, and is compared when it arrives.

use std::{
    io,
    io::IoSliceMut,
    net::UdpSocket,
    os::fd::AsRawFd,
    sync::atomic::{
        AtomicBool,
        AtomicU64,
        Ordering, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    }, //
};

use anyhow::Result;
use clap::Args;
use nix::{
    errno::Errno,
    sys::socket::{
        recvmsg,
        ControlMessageOwned,
        MsgFlags,
        SockaddrStorage, //
    }, //
};

use crate::{
    content::{
        self,
        datagram, //
    },
    end::Ends,
    stop,
    tap::{
        self,
        Place,
        Tap, //
    }, //
};

/// Options of `udp`.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    ends: Ends,
    /// How many datagrams; 0 is to go on until SIGTERM.
    #[arg(long, default_value_t = 100)]
    count: u32,
    /// Sizes of their content, taken in turn: `0-3,64,1400`.
    #[arg(long, default_value = "64", value_parser = sizes)]
    sizes: Sizes,
    /// How many may be under way at most.
    #[arg(long, default_value_t = 32)]
    window: u64,
    /// How many to send in a second at most; 0 is no limit.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// How long to wait for what is under way before it counts as lost, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    patience: u64,
    /// Connects the receiver's socket to the sender.
    #[arg(long)]
    connect: bool,
    /// Busy-polls at the receiver for so many microseconds.
    #[arg(long, default_value_t = 0)]
    busy_poll: i32,
    /// Says `ready` when the first datagram has arrived.
    #[arg(long)]
    ready: bool,
    /// Gives up when the first datagram has not arrived after this many seconds.
    #[arg(long, default_value_t = 10)]
    first: u64,
    /// A device where to look at the flow.
    #[arg(long = "tap", value_name = "NETNS:DEVICE")]
    taps: Vec<Place>,
}

/// A list of sizes.
#[derive(Clone)]
struct Sizes(Vec<usize>);

fn sizes(text: &str) -> Result<Sizes, std::num::ParseIntError> {
    let mut sizes = Vec::new();

    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        sizes.extend(first.parse()?..=last.parse::<usize>()?);
    }
    Ok(Sizes(sizes))
}

impl Sizes {
    fn of(&self, seq: u32) -> usize {
        self.0[seq as usize % self.0.len()]
    }
}

/// What both threads know.
#[derive(Default)]
struct Shared {
    sent: AtomicU64,
    arrived: AtomicU64,
    ended: AtomicBool,
    done: AtomicBool,
}

/// Runs the flow and prints what became of it.
pub fn run(options: &Options) -> Result<()> {
    stop::catch()?;
    let taps = Tap::open_all(&options.taps)?;
    let receiver = options.ends.receiver()?;
    let sender = options.ends.sender()?;
    let shared = Shared::default();
    prepare(options, &receiver, &sender)?;

    let start = Instant::now();
    thread::scope(|scope| {
        let watches: Vec<_> = taps
            .into_iter()
            .map(|tap| tap.watch(scope, options.ends.port, &shared.done))
            .collect();
        let receiving = scope.spawn(|| receive(options, &receiver, &shared));
        let errors = send(options, &sender, &shared);
        shared.ended.store(true, Ordering::Release);
        let tally = receiving.join().expect("the receiver does not panic")?;
        shared.done.store(true, Ordering::Release);

        tally.report(shared.sent.load(Ordering::Relaxed), errors, start.elapsed());
        tap::report(watches)
    })
}

fn prepare(options: &Options, receiver: &UdpSocket, sender: &UdpSocket) -> Result<()> {
    if options.connect {
        receiver.connect(sender.local_addr()?)?;
    }
    if options.busy_poll > 0 {
        let value = options.busy_poll;
        // SAFETY: The pointer and the length are those of `value`.
        Errno::result(unsafe {
            libc::setsockopt(
                receiver.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_BUSY_POLL,
                (&raw const value).cast(),
                size_of_val(&value) as u32,
            )
        })?;
    }
    Ok(())
}

/// Sends what the options say. Returns how often the kernel refused.
fn send(options: &Options, socket: &UdpSocket, shared: &Shared) -> u64 {
    let mut pace = Pace::new(options);
    let mut buffer = Vec::new();
    let mut errors = 0;

    for seq in 0..if options.count == 0 {
        u32::MAX
    } else {
        options.count
    } {
        if !pace.wait(seq.into(), shared) {
            break;
        }
        datagram::make(seq, options.sizes.of(seq), &mut buffer);
        shared.sent.store(u64::from(seq) + 1, Ordering::Release);
        if socket.send(&buffer).is_err() {
            errors += 1;
        }
    }
    errors
}

/// Says when the next datagram may go.
struct Pace {
    window: u64,
    gap: Duration,
    patience: Duration,
    next: Instant,
    first: Instant,
    given_up: u64,
}

impl Pace {
    fn new(options: &Options) -> Self {
        let now = Instant::now();
        Self {
            window: options.window,
            patience: Duration::from_millis(options.patience),
            gap: match options.rate {
                0 => Duration::ZERO,
                rate => Duration::from_secs(1) / rate,
            },
            next: now,
            first: now + Duration::from_secs(options.first),
            given_up: 0,
        }
    }

    /// Waits until datagram `seq` may be sent. False when there is to be none.
    fn wait(&mut self, seq: u64, shared: &Shared) -> bool {
        let mut last = (u64::MAX, Instant::now());

        loop {
            if stop::requested() {
                return false;
            }
            let arrived = shared.arrived.load(Ordering::Acquire);
            if arrived == 0 && seq > self.window && Instant::now() > self.first {
                return false;
            }
            // What is sent before the neighbour is known waits for it, and may be overtaken then.
            let window = match arrived + self.given_up {
                0 => 1,
                _ => self.window,
            };
            if seq.saturating_sub(arrived + self.given_up) < window {
                break;
            }
            if arrived != last.0 {
                last = (arrived, Instant::now());
            } else if last.1.elapsed() > self.patience {
                self.given_up = seq - arrived;
            }
            thread::sleep(Duration::from_micros(50));
        }
        if !self.gap.is_zero() {
            thread::sleep(self.next.saturating_duration_since(Instant::now()));
            self.next += self.gap;
        }
        true
    }
}

/// What arrived.
#[derive(Default)]
struct Tally {
    seen: Vec<bool>,
    low: usize,
    highest: u32,
    received: u64,
    duplicate: u64,
    reordered: u64,
    corrupt: u64,
    digest: u64,
    meta: u64,
}

fn receive(options: &Options, socket: &UdpSocket, shared: &Shared) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut buffer = vec![0; 1 << 16];
    let mut expected = Vec::new();
    let patience = Duration::from_millis(options.patience);
    let mut last = Instant::now();

    loop {
        let ended = shared.ended.load(Ordering::Acquire);
        match next(socket, &mut buffer)? {
            Some(received) => {
                let bytes = &buffer[..received.len];
                tally.add(options, shared, bytes, received.meta(), &mut expected);
                if tally.received == 1 && options.ready {
                    println!("ready");
                }
                shared.arrived.store(tally.received, Ordering::Release);
                last = Instant::now();
            }
            None if !ended => last = Instant::now(),
            None => {}
        }
        let sent = shared.sent.load(Ordering::Acquire);
        if ended && (tally.received >= sent || last.elapsed() > patience) {
            return Ok(tally);
        }
    }
}

/// A datagram as the receiver's socket tells of it.
pub struct Received {
    pub len: usize,
    pub from: String,
    pub tos: u8,
    pub ttl: u8,
}

impl Received {
    /// A hash of all that is not content.
    fn meta(&self) -> u64 {
        let fields = (u64::from(self.tos) << 8) | u64::from(self.ttl);

        content::mix(content::hash(self.from.as_bytes()) ^ fields)
    }
}

/// Receives a datagram, or `None` when there is none for a while.
pub fn next(socket: &UdpSocket, buffer: &mut [u8]) -> Result<Option<Received>> {
    let mut control = nix::cmsg_space!(i32, i32, i32, i32);
    let mut iov = [IoSliceMut::new(buffer)];

    let message = match recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut iov,
        Some(&mut control),
        MsgFlags::empty(),
    ) {
        Ok(message) => message,
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(None),
        Err(error) => return Err(io::Error::from(error).into()),
    };
    let mut received = Received {
        len: message.bytes,
        from: message
            .address
            .map_or(String::new(), |address| address.to_string()),
        tos: 0,
        ttl: 0,
    };
    for item in message.cmsgs()? {
        match item {
            ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                received.ttl = ttl as u8
            }
            ControlMessageOwned::Ipv4Tos(tos) => received.tos = tos,
            ControlMessageOwned::Ipv6TClass(class) => received.tos = class as u8,
            _ => {}
        }
    }
    Ok(Some(received))
}

impl Tally {
    fn add(
        &mut self,
        options: &Options,
        shared: &Shared,
        bytes: &[u8],
        meta: u64,
        expected: &mut Vec<u8>,
    ) {
        let sent = shared.sent.load(Ordering::Acquire);
        self.seen.resize(sent as usize, false);
        let Some(seq) = self.resolve(options, bytes) else {
            self.corrupt += u64::from(bytes.len() >= 4);
            self.duplicate += u64::from(bytes.len() < 4);
            return;
        };
        datagram::make(seq, options.sizes.of(seq), expected);
        if *expected != bytes {
            self.corrupt += 1;
            return;
        }
        if std::mem::replace(&mut self.seen[seq as usize], true) {
            self.duplicate += 1;
            return;
        }
        self.received += 1;
        if seq < self.highest {
            self.reordered += 1;
        }
        self.highest = self.highest.max(seq);
        let hash = content::mix(content::hash(bytes) ^ u64::from(seq));
        self.digest = self.digest.wrapping_add(hash);
        self.meta = self.meta.wrapping_add(meta);
        while self.seen.get(self.low) == Some(&true) {
            self.low += 1;
        }
    }

    /// Which datagram `bytes` is: for a short one, the first missing one that it can be.
    fn resolve(&self, options: &Options, bytes: &[u8]) -> Option<u32> {
        let (claim, bits) = datagram::claims(bytes);

        if bits == 32 {
            return ((claim as usize) < self.seen.len()).then_some(claim);
        }
        let mask = (1u32 << bits) - 1;
        (self.low..self.seen.len())
            .filter(|at| !self.seen[*at])
            .map(|at| at as u32)
            .find(|seq| options.sizes.of(*seq) == bytes.len() && seq & mask == claim)
    }

    /// The first and the last datagram that did not arrive. Those at the end of a flow were
    /// under way for longer than anybody waited; others were dropped.
    fn missing(&self, sent: u64) -> Option<(u64, u64)> {
        let is_missing = |at: &u64| self.seen.get(*at as usize) != Some(&true);

        Some((
            (0..sent).find(is_missing)?,
            (0..sent).rev().find(is_missing)?,
        ))
    }

    fn report(&self, sent: u64, errors: u64, time: Duration) {
        let missing = self.missing(sent).map_or(String::new(), |(first, last)| {
            format!(" missing={first}-{last}")
        });

        println!(
            "sent={sent} received={} lost={}{missing} duplicate={} reordered={} corrupt={} \
             errors={errors} digest={:016x} meta={:016x} ms={}",
            self.received,
            sent - self.received,
            self.duplicate,
            self.reordered,
            self.corrupt,
            self.digest,
            self.meta,
            time.as_millis(),
        );
    }
}

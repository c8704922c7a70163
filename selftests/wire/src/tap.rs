// SPDX-License-Identifier: GPL-2.0

//! What packet sockets see of a flow, at as many devices as one likes.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
    thread::{
        self,
        Scope,
        ScopedJoinHandle, //
    },
    time::Duration, //
};

use anyhow::{
    anyhow,
    Result, //
};
use clap::Args;

use crate::{
    content::{
        self,
        datagram, //
    },
    frame,
    netns,
    packet::PacketSocket,
    stop, //
};

/// For how long a socket is there that comes and goes, and is not.
const MOMENT: Duration = Duration::from_millis(1);

/// A device to listen on: `NAMESPACE:DEVICE`, where the namespace may be empty.
#[derive(Clone)]
pub struct Place {
    netns: String,
    device: String,
}

impl FromStr for Place {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (netns, device) = text
            .split_once(':')
            .ok_or_else(|| anyhow!("{text} is not NAMESPACE:DEVICE"))?;

        Ok(Self {
            netns: netns.to_owned(),
            device: device.to_owned(),
        })
    }
}

/// A packet socket that is open, but not read yet.
pub struct Tap {
    place: Place,
    socket: PacketSocket,
}

/// What was seen of a flow at a place.
#[derive(Default)]
pub struct Sight {
    place: String,
    received: u64,
    sent: u64,
    times: HashMap<u32, u32>,
    digest: u64,
}

impl Tap {
    /// Opens a socket at each of `places`.
    pub fn open_all(places: &[Place]) -> Result<Vec<Self>> {
        places
            .iter()
            .map(|place| {
                Ok(Self {
                    socket: netns::within(&place.netns, || {
                        PacketSocket::open(&place.device, true)
                    })?,
                    place: place.clone(),
                })
            })
            .collect()
    }

    /// Reads in a thread of its own until `done`, and then what is left.
    pub fn watch<'a>(
        self,
        scope: &'a Scope<'a, '_>,
        port: u16,
        done: &'a AtomicBool,
    ) -> ScopedJoinHandle<'a, Result<Sight>> {
        scope.spawn(move || {
            let mut sight = Sight {
                place: format!("{}:{}", self.place.netns, self.place.device),
                ..Sight::default()
            };
            let mut buffer = vec![0; 1 << 17];

            loop {
                let was_done = done.load(Ordering::Acquire);
                match self.socket.receive(&mut buffer)? {
                    Some(seen) => sight.add(&buffer[..seen.len], seen.outgoing, port),
                    None if was_done => return Ok(sight),
                    None => {}
                }
            }
        })
    }
}

impl Sight {
    fn add(&mut self, bytes: &[u8], outgoing: bool, port: u16) {
        let Some(payload) = frame::datagram_to(bytes, port) else {
            return;
        };

        let (seq, _) = datagram::claims(payload);
        *self.times.entry(seq).or_default() += 1;
        self.digest = self.digest.wrapping_add(content::hash(payload));
        if outgoing {
            self.sent += 1;
        } else {
            self.received += 1;
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "tap={} received={} sent={} unique={} more_than_once={} digest={:016x}",
            self.place,
            self.received,
            self.sent,
            self.times.len(),
            self.times.values().filter(|times| **times > 1).count(),
            self.digest,
        )
    }
}

/// Options of `sniff`.
#[derive(Args)]
pub struct Options {
    /// A device to listen on.
    #[arg(long = "tap", value_name = "NETNS:DEVICE", required = true)]
    taps: Vec<Place>,
    /// The UDP port of the flow to look for, inside VXLAN or not.
    #[arg(long, default_value_t = 5001)]
    port: u16,
    /// Only have the sockets come and go so often.
    #[arg(long, default_value_t = 0)]
    flips: u32,
}

/// Looks until told to end.
pub fn run(options: &Options) -> Result<()> {
    stop::catch()?;
    if options.flips != 0 {
        return flip(options);
    }
    let taps = Tap::open_all(&options.taps)?;
    let done = AtomicBool::new(false);

    println!("ready");
    thread::scope(|scope| {
        let watches: Vec<_> = taps
            .into_iter()
            .map(|tap| tap.watch(scope, options.port, &done))
            .collect();
        while !stop::requested() {
            thread::sleep(crate::end::TICK);
        }
        done.store(true, Ordering::Release);
        report(watches)
    })
}

/// Opens sockets and closes them again, over and over.
fn flip(options: &Options) -> Result<()> {
    for _ in 0..options.flips {
        let taps = Tap::open_all(&options.taps)?;

        thread::sleep(MOMENT);
        drop(taps);
        thread::sleep(MOMENT);
    }
    println!("done={}", options.flips);
    Ok(())
}

/// Prints what each of `watches` saw.
pub fn report(watches: Vec<ScopedJoinHandle<'_, Result<Sight>>>) -> Result<()> {
    for watch in watches {
        println!("{}", watch.join().expect("a watch does not panic")?);
    }
    Ok(())
}

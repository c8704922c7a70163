// SPDX-License-Identifier: GPL-2.0

//! The cable between two guests, with bulk traffic on it for a container of the first or for that host.
//!
//! Each end is a Unix socket on which QEMU connects (`-netdev stream`: a length of four bytes in
//! front of each frame). Bulk traffic comes from here and not from a guest, as an emulated sender
//! takes the processor that the receiver needs. What does not fit into the receiver's socket is
//! dropped, as a switch does it; other frames wait.

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
    net::Ipv4Addr,
    os::{
        fd::AsFd,
        unix::net::{
            UnixListener,
            UnixStream, //
        },
    },
    process::ExitCode,
    sync::{
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

const USAGE: &str = "usage: cable SERVER_SOCKET CLIENT_SOCKET RATES VNI PORT \
    OUTER_SOURCE OUTER_DESTINATION SOURCE DESTINATION\n\
    RATES is a file of lines `FLOW PACKETS_PER_SECOND`, 0 for none, where FLOW is overlay (VXLAN, from\n\
    SOURCE to DESTINATION) or host (between the OUTER ones); each of the last four is MAC,IP";

/// Frames that follow each other without a gap.
const BURST: u32 = 16;
/// What the kernel keeps for the receiver, in bytes of its memory before it doubles them: some 50 frames
/// of bulk traffic. QEMU reads all of it at once and queues without limit what the guest's ring has no
/// room for; as long as that is less than what the guest takes at a time, its queue does not grow.
const BUFFER: usize = 24 << 10;
/// Bytes in a datagram of bulk traffic.
const CONTENT: usize = 64;

const VXLAN_PORT: u16 = 4789;

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
    let [server, client, rates, vni, port, outer_source, outer_destination, source, destination] =
        arguments
    else {
        return Err(USAGE.into());
    };
    let (outer_source, outer_destination) = (outer_source.parse()?, outer_destination.parse()?);
    let port = port.parse()?;
    let inner = datagram(
        &source.parse()?,
        &destination.parse()?,
        port,
        &[0; CONTENT],
        true,
    );
    let mut vxlan = vec![8, 0, 0, 0];
    vxlan.extend((vni.parse::<u32>()? << 8).to_be_bytes());
    vxlan.extend(inner);
    let frames = Frames {
        overlay: datagram(&outer_source, &outer_destination, VXLAN_PORT, &vxlan, false),
        host: datagram(&outer_source, &outer_destination, port, &[0; CONTENT], true),
    };

    let (server, client) = (UnixListener::bind(server)?, UnixListener::bind(client)?);
    let (server, client) = (server.accept()?.0, client.accept()?.0);
    setsockopt(&server, SndBuf, &BUFFER)?;
    let to_server = Arc::new(Mutex::new(server.try_clone()?));
    let wanted = Arc::new(Mutex::new(Wanted::default()));

    let (mut from, mut to) = (server, client.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    let (sender, read_by_sender) = (to_server.clone(), wanted.clone());
    thread::spawn(move || send_bulk(&frames, &read_by_sender, &sender));
    let rates = io::BufReader::new(fs::File::open(rates)?);
    thread::spawn(move || {
        for line in rates.lines().map_while(io::Result::ok) {
            *locked(&wanted) = line.parse().unwrap_or_default();
        }
    });
    forward(client, &to_server)
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

impl std::str::FromStr for Wanted {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self> {
        let (flow, rate) = text.trim().split_once(' ').ok_or("expected FLOW RATE")?;

        Ok(Self {
            flow: match flow {
                "overlay" => Flow::Overlay,
                "host" => Flow::Host,
                _ => return Err("no such flow".into()),
            },
            rate: rate.parse()?,
        })
    }
}

/// Hands whole frames on, so that those of two senders do not mix.
fn forward(mut from: UnixStream, to: &Mutex<UnixStream>) -> Result<()> {
    let mut buffer = vec![0; 1 << 17];
    let mut len = 0;

    loop {
        let got = from.read(&mut buffer[len..])?;
        if got == 0 {
            return Ok(());
        }
        len += got;
        let whole = whole_frames(&buffer[..len]);

        locked(to).write_all(&buffer[..whole])?;
        buffer.copy_within(whole..len, 0);
        len -= whole;
    }
}

/// How many of these bytes are frames that have all of theirs.
fn whole_frames(bytes: &[u8]) -> usize {
    let mut at = 0;

    while let Some(head) = bytes[at..].first_chunk() {
        let end = at + 4 + u32::from_be_bytes(*head) as usize;
        if end > bytes.len() {
            break;
        }
        at = end;
    }
    at
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
    let mut one = (frame.len() as u32).to_be_bytes().to_vec();

    one.extend(frame);
    one.repeat(BURST as usize)
}

/// Whether less than a quarter of the socket's buffer is used.
fn has_room(to: &UnixStream) -> bool {
    let mut fds = [PollFd::new(to.as_fd(), PollFlags::POLLOUT)];

    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// One end of a datagram.
struct End {
    mac: [u8; 6],
    ip: Ipv4Addr,
}

impl std::str::FromStr for End {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self> {
        let (mac, ip) = text.split_once(',').ok_or("expected MAC,IP")?;
        let octets = mac
            .split(':')
            .map(|octet| u8::from_str_radix(octet, 16))
            .collect::<std::result::Result<Vec<_>, _>>()?;

        Ok(Self {
            mac: octets
                .try_into()
                .map_err(|_| "a MAC address has six octets")?,
            ip: ip.parse()?,
        })
    }
}

/// An Ethernet frame with a UDP datagram over IPv4 (RFC 791, RFC 768). The outer one of a tunnel has
/// no UDP checksum (RFC 7348 section 5).
fn datagram(from: &End, to: &End, port: u16, data: &[u8], has_checksum: bool) -> Vec<u8> {
    const SOURCE_PORT: u16 = 49_152;
    let udp_len = 8 + data.len() as u16;

    let mut udp = Vec::new();
    udp.extend(SOURCE_PORT.to_be_bytes());
    udp.extend(port.to_be_bytes());
    udp.extend(udp_len.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend(data);
    if has_checksum {
        let mut pseudo = [from.ip.octets(), to.ip.octets()].concat();
        pseudo.extend([0, 17]);
        pseudo.extend(udp_len.to_be_bytes());
        let sum = checksum(&[pseudo, udp.clone()].concat());
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
    }

    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp_len).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(from.ip.octets());
    ip.extend(to.ip.octets());
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());

    [&to.mac[..], &from.mac[..], &[0x08, 0x00], &ip, &udp].concat()
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();

    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
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
    fn what_is_wanted() {
        let wanted = |text: &str| text.parse::<Wanted>().ok();
        let host = Flow::Host;

        assert_eq!(
            wanted("host 100"),
            Some(Wanted {
                flow: host,
                rate: 100
            })
        );
        assert_eq!(wanted("overlay 0"), Some(Wanted::default()));
        assert_eq!(wanted("100"), None);
        assert_eq!(wanted("moon 100"), None);
    }

    /// A sum over what has its checksum is zero (RFC 1071).
    #[test]
    fn checksums() {
        let end = |text: &str| text.parse::<End>().unwrap();
        let frame = datagram(
            &end("02:00:00:00:00:01,10.0.0.1"),
            &end("02:00:00:00:00:02,10.0.0.2"),
            9,
            &[1, 2, 3],
            true,
        );
        let mut pseudo = frame[26..34].to_vec();
        pseudo.extend([0, 17, 0, 11]);
        pseudo.extend(&frame[34..]);

        assert_eq!(checksum(&frame[14..34]), 0);
        assert_eq!(checksum(&pseudo), 0);
        assert_eq!(frame.len(), 14 + 20 + 8 + 3);
    }
}

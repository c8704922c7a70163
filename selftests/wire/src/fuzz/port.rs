// SPDX-License-Identifier: GPL-2.0

//! The end of the cable: a tap device whose other side is the host under test, or a NIC of simnic's.

use std::{
    fs::{
        File,
        OpenOptions, //
    },
    io::{
        IoSlice,
        Read,
        Write, //
    },
    os::fd::AsFd,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    },
};

use anyhow::Result;
use nix::fcntl::{
    fcntl,
    FcntlArg,
    OFlag, //
};

use super::{
    draft::{
        Shot,
        HEADER, //
    },
    shape::Entry, //
};
use crate::{
    cable,
    packet::PacketSocket, //
};

/// The largest piece that the tap takes.
const PIECE: usize = 4096;

/// Where simnic's NICs are.
const NICS: &str = "/sys/kernel/config/simnic/nics";

/// A device of the host that this program is the other end of.
pub enum Port {
    /// A tap device.
    Tap(File),
    /// A NIC, and what it has sent: copies, at another device.
    Nic {
        orders: File,
        entry: Entry,
        sent: PacketSocket,
    },
}

impl Port {
    /// Attaches to `device`, which may be there already.
    pub fn open(device: &str, in_pieces: bool) -> Result<Self> {
        let file = cable::tap(device, false, in_pieces)?;

        fcntl(file.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self::Tap(file))
    }

    /// Opens the NIC `device`, of whose packets `copies` sends a copy each.
    pub fn nic(device: &str, entry: Entry, copies: &str) -> Result<Self> {
        let sent = PacketSocket::open(copies, true)?;

        fcntl(sent.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self::Nic {
            orders: OpenOptions::new()
                .write(true)
                .open(format!("{NICS}/{device}/shape"))?,
            entry,
            sent,
        })
    }

    /// How many packets of each shape a NIC has delivered, and how many of these were taken from the
    /// kernel at once.
    pub fn shapes(device: &str) -> Result<Vec<(String, u64, u64)>> {
        let text = std::fs::read_to_string(format!("{NICS}/{device}/shape"))?;

        Ok(text
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                let name = words.next()?.to_owned();
                let offered = words.next()?.parse().ok()?;
                let taken = words.next().unwrap_or("0").parse().ok()?;
                Some((name, offered, taken))
            })
            .collect())
    }

    /// Hands a frame to the host. What the device does not take is dropped.
    pub fn send(&self, shot: &Shot) {
        let mut file = match self {
            Self::Tap(file) => file,
            Self::Nic { orders, entry, .. } => {
                let mut order = shot.shape.order(shot, *entry);
                order.extend(&shot.frame);
                note(rewound(orders, &order));
                return;
            }
        };
        let first = match shot.cut {
            0 => shot.frame.len().min(PIECE),
            cut => cut.min(shot.frame.len()),
        };
        let (first, rest) = shot.frame.split_at(first);
        let mut pieces = vec![IoSlice::new(&shot.header), IoSlice::new(first)];

        pieces.extend(rest.chunks(PIECE).map(IoSlice::new));
        note(file.write_vectored(&pieces));
    }

    /// A frame from the host, if there is one.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        match self {
            Self::Tap(file) => {
                let len = { file }.read(buffer).ok()?;

                buffer.get(HEADER..len)
            }
            Self::Nic { sent, .. } => loop {
                let seen = sent.receive(buffer).ok()??;

                if seen.outgoing {
                    return buffer.get(..seen.len);
                }
            },
        }
    }
}

/// Writes to a file of configfs, as a whole.
/// How many frames a device has refused.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// The same, since it was last asked for.
pub fn refused() -> u64 {
    REFUSED.swap(0, Ordering::Relaxed)
}

fn note(written: std::io::Result<usize>) {
    if written.is_err() {
        REFUSED.fetch_add(1, Ordering::Relaxed);
    }
}

fn rewound(file: &File, bytes: &[u8]) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, 0)
}

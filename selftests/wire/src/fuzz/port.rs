// SPDX-License-Identifier: GPL-2.0

//! The end of the cable: a tap device whose other side is the host under test.

use std::{
    fs::File,
    io::{
        IoSlice,
        Read,
        Write, //
    },
    os::fd::AsFd,
};

use anyhow::Result;
use nix::fcntl::{
    fcntl,
    FcntlArg,
    OFlag, //
};

use super::draft::{
    Shot,
    HEADER, //
};
use crate::cable;

/// The largest piece that the tap takes.
const PIECE: usize = 4096;

/// A tap device that this program is attached to.
pub struct Port {
    file: File,
}

impl Port {
    /// Attaches to `device`, which may be there already.
    pub fn open(device: &str, in_pieces: bool) -> Result<Self> {
        let file = cable::tap(device, false, in_pieces)?;

        fcntl(file.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { file })
    }

    /// Hands a frame to the host. What the device does not take is dropped.
    pub fn send(&self, shot: &Shot) {
        let first = match shot.cut {
            0 => shot.frame.len().min(PIECE),
            cut => cut.min(shot.frame.len()),
        };
        let (first, rest) = shot.frame.split_at(first);
        let mut pieces = vec![IoSlice::new(&shot.header), IoSlice::new(first)];

        pieces.extend(rest.chunks(PIECE).map(IoSlice::new));
        let _ = (&self.file).write_vectored(&pieces);
    }

    /// A frame from the host, if there is one.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let len = (&self.file).read(buffer).ok()?;

        buffer.get(HEADER..len)
    }
}

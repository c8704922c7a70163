// SPDX-License-Identifier: GPL-2.0

//! Two tap devices joined: what one sends, the other receives through its driver's NAPI. With
//! `--offload` packets keep what a virtual machine's have: checksums to be filled in, segments to be
//! cut. With `--fragments` their headers and their content lie in different places.

use std::{
    fs::{
        File,
        OpenOptions, //
    },
    io,
    io::Read,
    os::fd::AsRawFd,
    thread, //
};

use anyhow::{
    anyhow,
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
    netns,
    stop, //
};

/// Options of `cable`.
#[derive(Args)]
pub struct Options {
    /// The two ends to make.
    #[arg(long, value_name = "NETNS:DEVICE")]
    a: String,
    #[arg(long, value_name = "NETNS:DEVICE")]
    b: String,
    /// Keeps checksum and segmentation offloads.
    #[arg(long)]
    offload: bool,
    /// Hands packets in by pieces, of which the first is this long: 0 is in one.
    #[arg(long, default_value_t = 0)]
    fragments: usize,
}

/// The header that a tap with IFF_VNET_HDR puts before a frame.
const HEADER: usize = 10;
const PATH: &str = "/dev/net/tun";

nix::ioctl_write_int_bad!(tun_set_offload, libc::TUNSETOFFLOAD);
nix::ioctl_write_ptr_bad!(tun_set_iff, libc::TUNSETIFF, libc::ifreq);

/// Makes both ends and carries frames until told to end.
pub fn run(options: &Options) -> Result<()> {
    stop::catch()?;
    let a = end(options, &options.a)?;
    let b = end(options, &options.b)?;

    println!("ready");
    thread::scope(|scope| {
        scope.spawn(|| carry(&a, &b, options));
        carry(&b, &a, options);
    });
    Ok(())
}

fn end(options: &Options, place: &str) -> Result<File> {
    let (netns, device) = place
        .split_once(':')
        .ok_or_else(|| anyhow!("{place} is not NETNS:DEVICE"))?;

    netns::within(netns, || {
        tap(device, options.offload, options.fragments > 0).with_context(|| format!("tap {place}"))
    })
}

/// A tap device, made or attached to, with NAPI and a header before each frame.
pub fn tap(device: &str, offload: bool, in_pieces: bool) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(PATH)?;
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_NAPI | libc::IFF_VNET_HDR;
    if in_pieces {
        flags |= libc::IFF_NAPI_FRAGS;
    }

    // SAFETY: An ifreq of zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = flags as i16;
    // SAFETY: The pointer is to an ifreq, as the request wants.
    unsafe { tun_set_iff(file.as_raw_fd(), &request) }.context("TUNSETIFF")?;
    if offload {
        let offload = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
        // SAFETY: The request takes a number.
        unsafe { tun_set_offload(file.as_raw_fd(), offload as i32) }.context("TUNSETOFFLOAD")?;
    }
    Ok(file)
}

/// Carries frames from one end to the other. Where that one is down, they are gone.
fn carry(mut from: &File, to: &File, options: &Options) {
    let mut buffer = vec![0; 1 << 17];

    while !stop::requested() {
        let mut fds = [PollFd::new(
            std::os::fd::AsFd::as_fd(from),
            PollFlags::POLLIN,
        )];
        if poll(&mut fds, PollTimeout::from(20u8)).unwrap_or(0) == 0 {
            continue;
        }
        match from.read(&mut buffer) {
            Ok(len) => drop(write(to, &buffer[..len], options.fragments)),
            Err(_) => thread::sleep(crate::end::TICK),
        }
    }
}

fn write(mut to: &File, packet: &[u8], fragments: usize) -> io::Result<usize> {
    use io::{
        IoSlice,
        Write, //
    };
    let (header, frame) = packet.split_at(HEADER.min(packet.len()));

    if fragments == 0 || frame.len() <= fragments {
        return to.write(packet);
    }
    let (first, rest) = frame.split_at(fragments);
    to.write_vectored(&[
        IoSlice::new(header),
        IoSlice::new(first),
        IoSlice::new(rest),
    ])
}

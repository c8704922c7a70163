// SPDX-License-Identifier: GPL-2.0

//! The kernel module: whether it is there, what it counts, and when it comes and goes.

use std::{
    collections::BTreeMap,
    io,
    os::fd::AsRawFd, //
};

use nix::{
    errno::Errno,
    sys::socket::{
        bind,
        socket,
        AddressFamily,
        NetlinkAddr,
        SockFlag,
        SockProtocol,
        SockType, //
    },
};
use prism_config::{
    Counts,
    Error,
    Lock,
    Module,
    Target, //
};
use tokio::net::UnixDatagram;

/// A kernel in which the module may be loaded.
pub(crate) trait Kernel: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The module's files.
    type Module: Counted;
    /// Held while something is changed.
    type Guard;

    /// The module that is loaded.
    fn module(&self) -> Result<Self::Module, Error>;

    /// Keeps others from changing something; `None` where somebody else does.
    fn try_lock(&self) -> Result<Option<Self::Guard>, Error>;
}

/// A module that counts.
pub(crate) trait Counted: Target {
    /// Its counters.
    fn counters(&self) -> Result<BTreeMap<String, u64>, Error>;

    /// What a rule has met.
    fn counts(&self, name: &str) -> Result<Counts, Error>;
}

/// The kernel that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running;

impl Kernel for Running {
    type Module = Module;
    type Guard = Lock;

    fn module(&self) -> Result<Module, Error> {
        Module::open()
    }

    fn try_lock(&self) -> Result<Option<Lock>, Error> {
        Lock::try_take()
    }
}

impl Counted for Module {
    fn counters(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.counters()
    }

    fn counts(&self, name: &str) -> Result<Counts, Error> {
        self.counts(name)
    }
}

/// Whether a failure says that the module is not there, or goes, so that the kernel will tell when it
/// comes.
pub(crate) fn is_absent(why: &Error) -> bool {
    match why {
        Error::NotLoaded => true,
        Error::Read { source, .. } => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// What the kernel tells user space of modules that come and go.
#[derive(Debug)]
pub(crate) struct Uevents(UnixDatagram);

/// The multicast group of what the kernel itself tells.
const KERNEL: u32 = 1;

impl Uevents {
    /// Begins to listen.
    pub(crate) fn new() -> io::Result<Self> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;

        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, KERNEL))?;
        // Tokio has no type for datagrams of other families, and to receive one is the same for all.
        Ok(Self(UnixDatagram::from_std(fd.into())?))
    }

    /// Waits for our module to come or go, or for something that may have been that.
    pub(crate) async fn module(&self) -> io::Result<()> {
        let mut buffer = [0; 2048];

        loop {
            match self.0.recv(&mut buffer).await {
                Ok(len) if is_ours(buffer.get(..len).unwrap_or_default()) => return Ok(()),
                Ok(_) => (),
                // Some were lost.
                Err(why) if why.raw_os_error() == Some(Errno::ENOBUFS as i32) => return Ok(()),
                Err(why) => return Err(why),
            }
        }
    }
}

/// Whether a message is about our module: `add@/module/prism`, and words behind zero bytes.
fn is_ours(message: &[u8]) -> bool {
    let head = message.split(|byte| *byte == 0).next().unwrap_or_default();

    [&b"add@/module/prism"[..], b"remove@/module/prism"].contains(&head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_about_the_module_are_known() {
        for (message, is) in [
            (&b"add@/module/prism\0ACTION=add\0"[..], true),
            (b"remove@/module/prism\0ACTION=remove\0", true),
            (b"add@/module/prism_simnic\0", false),
            (b"add@/devices/virtual/net/prism\0", false),
            (b"", false),
        ] {
            assert_eq!(is_ours(message), is);
        }
    }
}

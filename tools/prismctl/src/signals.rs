// SPDX-License-Identifier: GPL-2.0

//! The signals that end a command which has something to put back first.

use std::{
    io,
    os::fd::{
        AsFd,
        BorrowedFd, //
    },
    time::Duration,
};

use nix::{
    poll::{
        poll,
        PollFd,
        PollFlags,
        PollTimeout, //
    },
    sys::{
        signal::{
            SigSet,
            SigmaskHow,
            Signal, //
        },
        signalfd::{
            SfdFlags,
            SignalFd, //
        },
    },
};

/// What ends a command from outside.
fn ends() -> SigSet {
    SigSet::from_iter([
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGHUP,
    ])
}

/// Until it is dropped, these signals wait: what is begun is done as a whole.
pub(crate) struct Held(SigSet);

impl Held {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(ends().thread_swap_mask(SigmaskHow::SIG_BLOCK)?))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.thread_set_mask().ok();
    }
}

/// SIGINT, SIGQUIT, SIGTERM and SIGHUP, which from here on end nothing by themselves.
pub(crate) struct Signals(SignalFd);

impl Signals {
    pub(crate) fn block() -> io::Result<Self> {
        let set = ends();

        set.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&set, flags)?))
    }

    /// Waits until `other` can be read, or for so long. Whether it is to end: a signal has come, nothing
    /// will come from `other` any more, or nobody reads standard output any more.
    pub(crate) fn wait(&self, other: Option<BorrowedFd<'_>>, most: Duration) -> io::Result<bool> {
        let timeout = PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX);
        let stdout = io::stdout();
        let mut fds = vec![
            PollFd::new(self.0.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdout.as_fd(), PollFlags::empty()),
        ];

        fds.extend(other.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            // Such as that the size of the terminal has changed.
            Err(nix::errno::Errno::EINTR) => Ok(false),
            Err(why) => Err(why.into()),
            Ok(_) => {
                let closed = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
                let is_closed = |fd: &PollFd<'_>| fd.revents().unwrap_or(closed).intersects(closed);

                Ok(fds[0].any().unwrap_or(true) || fds[1..].iter().any(is_closed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::pthread_sigmask;

    use super::*;

    #[test]
    fn a_signal_waits_for_what_is_begun() {
        let waits = || {
            let mut set = SigSet::empty();

            pthread_sigmask(SigmaskHow::SIG_BLOCK, None, Some(&mut set)).unwrap();
            set.contains(Signal::SIGTERM)
        };

        assert!(!waits());
        let held = Held::new().unwrap();
        assert!(waits());
        drop(held);
        assert!(!waits());
    }
}

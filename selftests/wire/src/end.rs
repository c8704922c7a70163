// SPDX-License-Identifier: GPL-2.0

//! The two ends of a flow.

use std::{
    net::{
        IpAddr,
        Ipv4Addr,
        Ipv6Addr,
        SocketAddr,
        UdpSocket, //
    },
    time::Duration, //
};

use anyhow::{
    Context,
    Result, //
};
use clap::Args;
use nix::sys::socket::{
    setsockopt,
    sockopt, //
};

use crate::netns;

/// How long a receiver waits before it looks around.
pub const TICK: Duration = Duration::from_millis(20);

/// From where to where.
#[derive(Args, Clone)]
pub struct Ends {
    /// The namespace that sends (that of init by default).
    #[arg(long, default_value = "")]
    from: String,
    /// The namespace that receives.
    #[arg(long, default_value = "")]
    to: String,
    /// The address to send from.
    #[arg(long)]
    source: Option<IpAddr>,
    /// The port to send from.
    #[arg(long, default_value_t = 40000)]
    source_port: u16,
    /// The address to send to.
    #[arg(long)]
    pub destination: IpAddr,
    /// The port to send to.
    #[arg(long, default_value_t = 5001)]
    pub port: u16,
    /// Where to receive, if not at the destination: behind address translation.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The TOS octet to send with.
    #[arg(long, default_value_t = 0)]
    tos: u8,
}

impl Ends {
    /// Where the datagrams go.
    pub fn target(&self) -> SocketAddr {
        SocketAddr::new(self.destination, self.port)
    }

    /// Where the sender sits.
    pub fn origin(&self) -> SocketAddr {
        let any = match self.destination {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };

        SocketAddr::new(self.source.unwrap_or(any), self.source_port)
    }

    /// Where the receiver sits.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(self.target())
    }

    /// Calls `f` where the sender is.
    pub fn at_sender<T: Send>(&self, f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        netns::within(&self.from, f)
    }

    /// Calls `f` where the receiver is.
    pub fn at_receiver<T: Send>(&self, f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        netns::within(&self.to, f)
    }

    /// The sender's socket, connected to the target.
    pub fn sender(&self) -> Result<UdpSocket> {
        self.at_sender(|| {
            let socket = bound(self.origin())?;

            set_tos(&socket, self.tos)?;
            socket
                .connect(self.target())
                .with_context(|| format!("connect {}", self.target()))?;
            Ok(socket)
        })
    }

    /// The receiver's socket, which also tells TOS and TTL of what it gets.
    pub fn receiver(&self) -> Result<UdpSocket> {
        self.at_receiver(|| {
            let socket = bound(self.listen())?;

            tell_all(&socket)?;
            Ok(socket)
        })
    }
}

/// Sets the TOS octet or the traffic class of what `socket` sends.
fn set_tos(socket: &UdpSocket, tos: u8) -> Result<()> {
    if socket.local_addr()?.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4Tos, &tos.into())?;
    } else {
        setsockopt(socket, sockopt::Ipv6TClass, &tos.into())?;
    }
    Ok(())
}

/// Makes `socket` tell TOS and TTL of what it gets.
pub fn tell_all(socket: &UdpSocket) -> Result<()> {
    setsockopt(socket, sockopt::IpRecvTos, &true)?;
    setsockopt(socket, sockopt::Ipv4RecvTtl, &true)?;
    if socket.local_addr()?.is_ipv6() {
        setsockopt(socket, sockopt::Ipv6RecvTClass, &true)?;
        setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true)?;
    }
    Ok(())
}

/// A socket bound to `address` that holds a lot and does not wait for ever.
pub fn bound(address: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(address).with_context(|| format!("bind {address}"))?;

    setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20))?;
    setsockopt(&socket, sockopt::SndBufForce, &(16 << 20))?;
    socket.set_read_timeout(Some(TICK))?;
    Ok(socket)
}

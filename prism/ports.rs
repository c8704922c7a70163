// SPDX-License-Identifier: GPL-2.0

//! The UDP ports on which this host receives VXLAN.

use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering, //
};

use kernel::prelude::*;
use knet::{
    netdev::{
        Kind,
        NetDevice,
        Rtnl, //
    },
    vxlan::{
        self,
        Owner, //
    }, //
};

use crate::classify::{
    Family,
    VxlanPorts, //
};

const WORDS: usize = (u16::MAX as usize + 1) / u64::BITS as usize;

/// The ports by whose they are, as a port means nothing to who receives in another namespace: a
/// container that opens one is not to change what the host makes of its packets.
pub(crate) struct Ports {
    /// Of the initial network namespace.
    home: Bits,
    /// Of all others that belong to the initial user namespace.
    away: Bits,
    generation: AtomicU32,
}

/// A bit for each port of each family.
struct Bits {
    v4: Words,
    v6: Words,
}

/// A bit for each port.
struct Words {
    current: KVec<AtomicU64>,
    /// Where those are gathered that are to be current next, under RTNL.
    next: KVec<AtomicU64>,
}

impl Ports {
    /// No ports.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            home: Bits::new()?,
            away: Bits::new()?,
            generation: AtomicU32::new(0),
        })
    }

    /// The ports for what `device` receives.
    #[inline]
    pub(crate) fn of<'a>(&'a self, device: NetDevice<'a>) -> PortsOf<'a> {
        PortsOf {
            ports: self,
            device,
        }
    }

    /// Makes the ports those of the VXLAN devices that are up, in all namespaces that belong to the
    /// initial user namespace.
    ///
    /// Context: process, under RTNL. The packet path sees each port appear or disappear by itself.
    pub(crate) fn refresh(&self, rtnl: &Rtnl) {
        rtnl.for_each_device(|device| {
            if device.kind() == Kind::Vxlan {
                vxlan::for_each_port(device, rtnl, |port, v6, owner| match owner {
                    Owner::Home => self.home.add(port, v6),
                    Owner::Away => self.away.add(port, v6),
                    Owner::Foreign => (),
                });
            }
        });
        // What is known of flows is not lost for a change that does not concern it.
        if self.home.publish() | self.away.publish() {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Changes after the ports have changed: what was found with a generation that was read before
    /// may be kept as long as it is the same.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }
}

/// The ports for what a device receives.
pub(crate) struct PortsOf<'a> {
    ports: &'a Ports,
    device: NetDevice<'a>,
}

impl VxlanPorts for PortsOf<'_> {
    #[inline]
    fn is_vxlan(&self, family: Family, port: u16) -> bool {
        let is_home = self.ports.home.has(family, port);
        let is_away = self.ports.away.has(family, port);

        // Whose device it is, is asked only where it matters.
        is_home && is_away || is_home != is_away && is_home == self.device.in_init_net()
    }
}

impl Bits {
    fn new() -> Result<Self> {
        Ok(Self {
            v4: Words::new()?,
            v6: Words::new()?,
        })
    }

    #[inline]
    fn has(&self, family: Family, port: u16) -> bool {
        match family {
            Family::V4 => self.v4.has(port),
            Family::V6 => self.v6.has(port),
        }
    }

    /// Adds a port to the next ones.
    fn add(&self, port: u16, v6: bool) {
        if v6 {
            self.v6.add(port);
        } else {
            self.v4.add(port);
        }
    }

    /// Makes the next ones current, and no port one of the next. Returns whether they were others.
    fn publish(&self) -> bool {
        self.v4.publish() | self.v6.publish()
    }
}

impl Words {
    fn new() -> Result<Self> {
        Ok(Self {
            current: words()?,
            next: words()?,
        })
    }

    #[inline]
    fn has(&self, port: u16) -> bool {
        self.current
            .get(word_of(port))
            .is_some_and(|word| word.load(Ordering::Relaxed) & bit_of(port) != 0)
    }

    fn add(&self, port: u16) {
        if let Some(word) = self.next.get(word_of(port)) {
            word.fetch_or(bit_of(port), Ordering::Relaxed);
        }
    }

    fn publish(&self) -> bool {
        let mut has_changed = false;

        for (word, next) in self.current.iter().zip(&self.next) {
            let next = next.swap(0, Ordering::Relaxed);

            has_changed |= word.swap(next, Ordering::Relaxed) != next;
        }
        has_changed
    }
}

fn words() -> Result<KVec<AtomicU64>> {
    let mut words = KVec::with_capacity(WORDS, GFP_KERNEL)?;

    for _ in 0..WORDS {
        words.push(AtomicU64::new(0), GFP_KERNEL)?;
    }
    Ok(words)
}

#[inline]
fn word_of(port: u16) -> usize {
    usize::from(port >> 6)
}

#[inline]
fn bit_of(port: u16) -> u64 {
    1u64.wrapping_shl(u32::from(port & 63))
}

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
        Rtnl, //
    },
    vxlan, //
};

use crate::classify::{
    Family,
    VxlanPorts, //
};

const WORDS: usize = (u16::MAX as usize + 1) / u64::BITS as usize;

/// A bit for each port of each family.
pub(crate) struct Ports {
    v4: KVec<AtomicU64>,
    v6: KVec<AtomicU64>,
    generation: AtomicU32,
}

impl Ports {
    /// No ports.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            v4: bits()?,
            v6: bits()?,
            generation: AtomicU32::new(0),
        })
    }

    /// Makes the ports those of the VXLAN devices that are up, in all namespaces.
    ///
    /// Context: process, under RTNL. The packet path sees each port appear or disappear by itself.
    pub(crate) fn refresh(&self, rtnl: &Rtnl) -> Result {
        let fresh = Self::new()?;

        rtnl.for_each_device(|device| {
            if device.kind() == Kind::Vxlan {
                vxlan::for_each_port(device, rtnl, |port, v6| {
                    let bits = if v6 { &fresh.v6 } else { &fresh.v4 };

                    if let Some(word) = bits.get(word_of(port)) {
                        word.fetch_or(bit_of(port), Ordering::Relaxed);
                    }
                });
            }
        });
        publish(&self.v4, &fresh.v4);
        publish(&self.v6, &fresh.v6);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Changes after the ports have changed: what was found with a generation that was read before
    /// may be kept as long as it is the same.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }
}

impl VxlanPorts for Ports {
    #[inline]
    fn is_vxlan(&self, family: Family, port: u16) -> bool {
        let bits = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };

        bits.get(word_of(port))
            .is_some_and(|word| word.load(Ordering::Relaxed) & bit_of(port) != 0)
    }
}

fn bits() -> Result<KVec<AtomicU64>> {
    let mut bits = KVec::with_capacity(WORDS, GFP_KERNEL)?;

    for _ in 0..WORDS {
        bits.push(AtomicU64::new(0), GFP_KERNEL)?;
    }
    Ok(bits)
}

fn publish(bits: &[AtomicU64], fresh: &[AtomicU64]) {
    for (word, fresh) in bits.iter().zip(fresh) {
        word.store(fresh.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[inline]
fn word_of(port: u16) -> usize {
    usize::from(port >> 6)
}

#[inline]
fn bit_of(port: u16) -> u64 {
    1u64.wrapping_shl(u32::from(port & 63))
}

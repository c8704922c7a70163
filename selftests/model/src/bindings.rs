// SPDX-License-Identifier: GPL-2.0

//! Types of the kernel of which only addresses are used.

#![allow(dead_code, non_camel_case_types)]

/// A packet.
pub struct sk_buff(());

/// A device.
pub struct net_device(());

// SPDX-License-Identifier: GPL-2.0

//! Types of the kernel of which only addresses are used, and a function that is not of the model.

#![allow(dead_code, non_camel_case_types)]

/// A packet.
pub struct sk_buff(());

/// A device.
pub struct net_device(());

/// Which packets wait in a backlog is not looked at.
///
/// # Safety
///
/// None.
pub unsafe fn knet_left_is_queued() {}

// SPDX-License-Identifier: GPL-2.0

//! Synchronisation that loom knows.

pub mod atomic;

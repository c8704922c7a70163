// SPDX-License-Identifier: GPL-2.0

//! What several tests share.

#![allow(dead_code, unreachable_pub)]

pub mod build;
pub mod oracle;

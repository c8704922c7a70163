// SPDX-License-Identifier: GPL-2.0

//! Says which stage of a packet's way through the kernel takes how many instructions, from what a
//! guest has executed.

pub mod column;
pub mod guest;
pub mod packet;
pub mod stage;
pub mod symbols;
pub mod table;
pub mod trace;

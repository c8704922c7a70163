// SPDX-License-Identifier: GPL-2.0

//! What arrives at the NIC, and how long it took: without the kernel's types, so that it is tested on
//! the host, too.

pub mod arrivals;
pub mod flow;
pub mod frame;
pub mod histogram;
pub mod note;

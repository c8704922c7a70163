// SPDX-License-Identifier: GPL-2.0

//! Classification of packets: which flow a packet belongs to and which rule names that flow.
//!
//! The packet path calls three things, in this order:
//!
//! 1. [`parse`] reads the headers of a packet and gives its [`Flow`]: of the packet itself, or of the
//!    packet inside where it is VXLAN.
//! 2. [`Table::lookup`] finds the [`Rule`] that names the flow.
//! 3. [`Bucket::take`] tells whether that rule's rate still admits the packet.
//!
//! For a packet of a flow that was seen before, [`Cache::find`] says what the first two would.
//!
//! Nothing here knows a kernel type, allocates, blocks, panics or contains `unsafe`: memory comes
//! from the caller as slices, and the same files build on the host for tests. All of it may be called
//! in any context.
//!
//! Not supported, hence unclassified: fragments, IPv4 options, IPv6 extension headers, more than one
//! VLAN tag, tunnels other than VXLAN, VXLAN inside VXLAN.

pub mod bucket;
pub mod cache;
pub mod drr;
mod flow;
pub mod histogram;
pub mod layers;
mod packet;
pub mod quiet;
pub mod rule;
pub mod table;
mod template;
pub mod train;
mod unclassified;
mod wire;

pub use self::{
    bucket::Bucket,
    cache::Cache,
    flow::{
        Addresses,
        Family,
        Flow,
        Protocol,
        Transport,
        Vni, //
    },
    packet::{
        parse,
        VxlanPorts,
        WINDOW, //
    },
    rule::{
        Class,
        Rule, //
    },
    table::Table,
    template::Shape,
    unclassified::Unclassified, //
};

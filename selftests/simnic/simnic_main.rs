// SPDX-License-Identifier: GPL-2.0

//! A NIC for measurements: frames arrive at given times, and at the other end, where they reach a
//! socket, it is noted how long that took.
//!
//! A directory in `/sys/kernel/config/simnic/nics` is such a NIC; its traffic is described in its
//! files. Frames come as hardware's do, without taking any time of a CPU: the list of arrivals is made
//! beforehand, and what has come meanwhile is put into the ring whenever NAPI looks there. While NAPI
//! does not poll, a timer for the next arrival is the interrupt. Results are in
//! `/sys/kernel/debug/simnic`.

#![forbid(unsafe_code)]

use kernel::{
    debugfs,
    prelude::*, //
};

use knet::configfs::Subsystem;

mod control;
mod device;
pub mod model;
mod record;
mod traffic;

module! {
    type: Simnic,
    name: "simnic",
    authors: ["PRISM maintainers"],
    description: "A NIC for measurements, whose traffic is described by text",
    license: "GPL",
}

/// The module.
#[pin_data]
struct Simnic {
    #[pin]
    nics: Subsystem<control::Nics>,
}

impl kernel::InPlaceModule for Simnic {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            nics <- Subsystem::new(
                c"simnic",
                c"nics",
                control::Nics::new(debugfs::Dir::new(c"simnic")),
                module,
            ),
        })
    }
}

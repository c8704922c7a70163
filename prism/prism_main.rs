// SPDX-License-Identifier: GPL-2.0

//! PRISM: priorities on the receive side of container overlay networks.

#![forbid(unsafe_code)]

use core::borrow::Borrow;

use kernel::prelude::*;

mod batch;
mod breaker;
pub mod classify;
mod config;
mod control;
mod datapath;
mod devices;
mod displaced;
mod express;
mod found;
mod gate;
mod hooks;
mod isolation;
mod latency;
mod ports;
mod ruleset;
mod settings;
mod stats;
mod switch;
#[cfg(CONFIG_KUNIT = "y")]
mod tests;
mod trace;

use crate::datapath::{
    Published,
    Shared, //
};

module! {
    type: Prism,
    name: "prism",
    authors: ["PRISM maintainers"],
    description: "Receive-side prioritisation for container overlay networks",
    license: "GPL",
    params: {
        max_rules: u32 {
            default: 16384,
            description: "Most rules that can exist (default 16384)",
        },
    },
}

/// The module.
///
/// The fields are dropped in this order: first who configures the packet path, which takes the hooks
/// away, then the state that the hooks find.
#[pin_data]
struct Prism {
    #[pin]
    control: control::Control,
    published: Published,
}

impl kernel::InPlaceModule for Prism {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let shared = Shared::new()?;
            // A reference in some kernels.
            let max_rules = module_parameters::max_rules.value();
            let max_rules = *Borrow::<u32>::borrow(&max_rules);

            Ok(try_pin_init!(Self {
                published: Published::new(shared.clone())?,
                control <- control::Control::new(module, shared, max_rules),
            }))
        })
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Memory of which each CPU has its own copy.

use crate::{
    context::RxContext,
    prelude::Result, //
};

/// One `T` for each of two CPUs.
pub struct PerCpu<T>([T; 2]);

impl<T: Default> PerCpu<T> {
    /// A copy for each CPU.
    pub fn new() -> Result<Self> {
        Ok(Self([T::default(), T::default()]))
    }
}

impl<T> PerCpu<T> {
    /// The copy of the CPU that runs this.
    pub fn get<'a>(&'a self, cx: &RxContext<'a>) -> &'a T {
        &self.0[cx.cpu()]
    }

    /// The copy of the first CPU, for what is broken.
    pub fn first(&self) -> &T {
        &self.0[0]
    }
}

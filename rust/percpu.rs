// SPDX-License-Identifier: GPL-2.0

//! Memory of which each CPU has its own copy.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use core::mem::{
    align_of,
    size_of, //
};

use kernel::prelude::*;

use crate::{
    bindings,
    context::RxContext, //
};

/// One `T` for each possible CPU.
///
/// Others may read a CPU's copy at any time, hence `T: Sync`; who writes only the copy of the CPU it
/// runs on shares no cache line.
///
/// # Invariants
///
/// `ptr` is a per-CPU allocation of `T`, every copy of which is initialised.
pub struct PerCpu<T: Sync> {
    ptr: *mut T,
}

// SAFETY: Shared access gives `&T` only, and `T` is `Sync`; the allocation is not bound to a thread.
unsafe impl<T: Sync + Send> Send for PerCpu<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for PerCpu<T> {}

impl<T: Default + Sync> PerCpu<T> {
    /// Allocates a copy for each possible CPU.
    ///
    /// Context: process; may sleep.
    pub fn new() -> Result<Self> {
        // SAFETY: Process context; size and alignment are those of a type.
        let ptr = unsafe { bindings::knet_alloc_percpu(size_of::<T>(), align_of::<T>()) };
        let ptr: *mut T = ptr.cast();

        if ptr.is_null() {
            return Err(ENOMEM);
        }
        for cpu in possible_cpus() {
            // SAFETY: `ptr` is a per-CPU allocation with room for a `T` on each possible CPU.
            unsafe { copy_of(ptr, cpu).write(T::default()) };
        }
        // INVARIANT: Allocated and initialised above.
        Ok(Self { ptr })
    }
}

impl<T: Sync> PerCpu<T> {
    /// The copy of the CPU that runs this.
    #[inline]
    pub fn get<'a>(&'a self, _cx: &RxContext<'a>) -> &'a T {
        // SAFETY: By the type invariants the copy is valid as long as `self`; the context keeps the
        // task on this CPU.
        unsafe { &*this_cpu(self.ptr) }
    }

    /// The numbers of all possible CPUs, each with its copy.
    pub fn each(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        possible_cpus().zip(self.iter())
    }

    /// The copies of all possible CPUs.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        // SAFETY: By the type invariants each copy is valid as long as `self`.
        possible_cpus().map(|cpu| unsafe { &*copy_of(self.ptr, cpu) })
    }
}

impl<T: Sync> Drop for PerCpu<T> {
    fn drop(&mut self) {
        for cpu in possible_cpus() {
            // SAFETY: By the type invariants the copy is initialised, and nobody refers to it since
            // `self` is borrowed exclusively.
            unsafe { core::ptr::drop_in_place(copy_of(self.ptr, cpu)) };
        }
        // SAFETY: By the type invariants this is a per-CPU allocation, and it is used no more.
        unsafe { bindings::free_percpu(self.ptr.cast()) };
    }
}

/// The address of the copy of `ptr` that belongs to the CPU that runs this.
///
/// # Safety
///
/// `ptr` is a per-CPU allocation, and the task stays on this CPU while the address is used.
#[inline]
unsafe fn this_cpu<T>(ptr: *mut T) -> *mut T {
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP))]
    {
        let mut address = ptr as usize;

        // SAFETY: Reads a variable of the CPU, as `arch_raw_cpu_ptr()` does.
        unsafe {
            core::arch::asm!(
                "add {address}, qword ptr gs:[rip + {offset}]",
                address = inlateout(reg) address,
                offset = sym bindings::this_cpu_off,
                options(pure, readonly, nostack),
            )
        };
        address as *mut T
    }
    #[cfg(not(all(CONFIG_X86_64, CONFIG_SMP)))]
    // SAFETY: By the safety requirements of this function.
    unsafe {
        bindings::knet_this_cpu_ptr(ptr.cast()).cast()
    }
}

/// The address of the copy of `ptr` that belongs to `cpu`.
///
/// # Safety
///
/// `ptr` is a per-CPU allocation and `cpu` a possible CPU.
unsafe fn copy_of<T>(ptr: *mut T, cpu: u32) -> *mut T {
    // SAFETY: By the safety requirements of this function.
    unsafe { bindings::knet_per_cpu_ptr(ptr.cast(), cpu) }.cast()
}

/// The numbers of the possible CPUs, in the order of [`PerCpu::iter`].
pub(crate) fn possible_cpus() -> impl Iterator<Item = u32> {
    let mut last = -1;

    core::iter::from_fn(move || {
        // SAFETY: `last` is -1 or a CPU number; both functions read constants.
        let (cpu, limit) = unsafe { (bindings::knet_next_cpu(last), bindings::knet_nr_cpu_ids()) };

        last = cpu as i32;
        (cpu < limit).then_some(cpu)
    })
}

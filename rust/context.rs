// SPDX-License-Identifier: GPL-2.0

//! The context in which received packets are handled.

use core::marker::PhantomData;

use crate::bindings;

/// Evidence that this is the receive path: softirq, a NAPI thread or a busy-polling task.
///
/// # Invariants
///
/// While an instance exists, BH is off on this CPU, the task does not migrate, and an RCU read-side
/// section is entered. Bound to the thread: neither `Send` nor `Sync`.
#[derive(Clone, Copy)]
pub struct RxContext<'a>(PhantomData<(&'a (), *mut ())>);

impl RxContext<'_> {
    /// States that the caller is in the receive path.
    ///
    /// # Safety
    ///
    /// For the lifetime that the caller chooses, BH is off on this CPU and an RCU read-side section
    /// is entered.
    #[inline]
    pub(crate) unsafe fn assume() -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self(PhantomData)
    }
}

/// Runs `f` as the receive path would: with BH off, inside an RCU read-side section.
///
/// Context: process or softirq.
pub fn with_rx_context<R>(f: impl FnOnce(RxContext<'_>) -> R) -> R {
    // SAFETY: May be called in process and softirq context; balanced below.
    unsafe { bindings::knet_local_bh_disable() };
    let guard = kernel::sync::rcu::read_lock();
    // SAFETY: BH is off since above and the RCU guard is held until after the call.
    let result = f(unsafe { RxContext::assume() });

    drop(guard);
    // SAFETY: Balances the call above.
    unsafe { bindings::knet_local_bh_enable() };
    result
}

// SPDX-License-Identifier: GPL-2.0

//! The context in which received packets are handled.
//!
//! What each CPU has of its own is used in that context without locks: with BH off, one is in it at a
//! time. Not so in a kernel with `PREEMPT_RT` and without `PREEMPT_RT_NEEDS_BH_LOCK`, where a softirq may
//! preempt another on its CPU; there, who enters takes a lock of the CPU's, and gets it again where he
//! has it.
//!
//! C: `rust/helpers/context.c`, `__local_bh_disable_ip()` in `kernel/softirq.c`.

use core::marker::PhantomData;

use crate::bindings;

/// Whether BH being off does not keep others out.
const MAY_INTERLEAVE: bool = cfg!(all(CONFIG_PREEMPT_RT, not(CONFIG_PREEMPT_RT_NEEDS_BH_LOCK)));

/// Evidence that this is the receive path: softirq, a NAPI thread or a busy-polling task.
///
/// # Invariants
///
/// While an instance exists, BH is off on this CPU, the task does not migrate, an RCU read-side
/// section is entered, and no other task has an instance on this CPU. Bound to the thread: neither
/// `Send` nor `Sync`.
#[derive(Clone, Copy)]
pub struct RxContext<'a>(PhantomData<(&'a (), *mut ())>);

/// The receive path of this CPU, entered.
///
/// # Invariants
///
/// Until it is dropped, BH is off on this CPU, an RCU read-side section is entered, and no other task is
/// inside on this CPU. Bound to the thread.
#[must_use]
pub(crate) struct Entered(PhantomData<*mut ()>);

impl Entered {
    /// Enters it, and waits until others on this CPU have left it. It may be entered again inside.
    ///
    /// Who has entered takes the locks of everything that receives packets, so no such lock may be held.
    ///
    /// # Safety
    ///
    /// Until the value is dropped, BH is off on this CPU and an RCU read-side section is entered.
    #[inline]
    pub(crate) unsafe fn new() -> Self {
        if MAY_INTERLEAVE {
            // SAFETY: BH is off.
            unsafe { bindings::knet_rx_enter() };
        }
        // INVARIANT: By the safety requirements of this function, and as others are kept out since above.
        Self(PhantomData)
    }

    /// Enters it again where the caller is inside, which takes no lock.
    ///
    /// # Safety
    ///
    /// As for [`Entered::new`].
    #[inline]
    pub(crate) unsafe fn again() -> Option<Self> {
        // SAFETY: BH is off.
        if MAY_INTERLEAVE && !unsafe { bindings::knet_rx_is_inside() } {
            return None;
        }
        // SAFETY: By the safety requirements of this function.
        Some(unsafe { Self::new() })
    }

    /// Evidence of it.
    #[inline]
    pub(crate) fn context(&self) -> RxContext<'_> {
        // INVARIANT: By the type invariants.
        RxContext(PhantomData)
    }
}

impl Drop for Entered {
    #[inline]
    fn drop(&mut self) {
        if MAY_INTERLEAVE {
            // SAFETY: BH is off, and it was entered once for this value.
            unsafe { bindings::knet_rx_leave() };
        }
    }
}

/// Runs `f` as the receive path would: with BH off, inside an RCU read-side section.
///
/// Context: process or softirq.
pub fn with_rx_context<R>(f: impl FnOnce(RxContext<'_>) -> R) -> R {
    // SAFETY: May be called in process and softirq context; balanced below.
    unsafe { bindings::knet_local_bh_disable() };
    let guard = kernel::sync::rcu::read_lock();
    // SAFETY: BH is off since above and the RCU guard is held until it is dropped.
    let entered = unsafe { Entered::new() };
    let result = f(entered.context());

    drop(entered);
    drop(guard);
    // SAFETY: Balances the call above.
    unsafe { bindings::knet_local_bh_enable() };
    result
}

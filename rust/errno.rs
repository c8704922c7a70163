// SPDX-License-Identifier: GPL-2.0

//! Error numbers that the `kernel` crate of some supported kernels has no name for.
//!
//! C header: [`include/uapi/asm-generic/errno.h`](srctree/include/uapi/asm-generic/errno.h)

use kernel::{
    ffi::c_int,
    prelude::*, //
};

use crate::bindings;

/// `ENAMETOOLONG`: a name is longer than allowed.
pub fn name_too_long() -> Error {
    number(bindings::ENAMETOOLONG)
}

/// `ENETDOWN`: the device is down.
#[cfg(KNET_NIC)]
pub(crate) fn net_down() -> Error {
    number(bindings::ENETDOWN)
}

/// `EINPROGRESS`: somebody else goes on with it.
#[inline]
pub(crate) fn in_progress() -> Error {
    number(bindings::EINPROGRESS)
}

/// `EOPNOTSUPP`: the kernel does not have it.
pub(crate) fn not_supported() -> Error {
    number(bindings::EOPNOTSUPP)
}

/// `EPROTONOSUPPORT`: the protocol is not known.
pub(crate) fn protocol_not_supported() -> Error {
    number(bindings::EPROTONOSUPPORT)
}

#[inline]
fn number(code: u32) -> Error {
    Error::from_errno(-(code as c_int))
}

// SPDX-License-Identifier: GPL-2.0

//! What kernel code finds everywhere.

/// As the kernel's, whose errors nothing here has.
pub type Result<T = (), E = std::convert::Infallible> = std::result::Result<T, E>;

// SPDX-License-Identifier: GPL-2.0

//! Whose rules are whose.

/// How the names of the rules begin that `prismd` makes for Docker's containers. They come and go with
/// these, so they are no part of a configuration that is saved and applied.
pub const DOCKER_PREFIX: &str = "docker:";

/// Why nobody else makes rules of such names.
pub const NOT_YOURS: &str = "names that begin with docker: are those of prismd's rules";

/// Whether a rule of that name is made and removed by a daemon.
pub fn is_of_daemon(name: &str) -> bool {
    name.starts_with(DOCKER_PREFIX)
}

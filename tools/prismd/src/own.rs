// SPDX-License-Identifier: GPL-2.0

//! Which rules are of this daemon's making.
//!
//! Their names tell: `docker:CONTAINER:NETWORK:NUMBER`, with the first twelve characters of both IDs, or
//! `ports` in place of the network for those of the host. So no file has to say, and a daemon that is
//! started again finds them. Everyone may read names of rules, so they have no names of tenants.

use prism_config::{
    rule::{
        AddressMatch,
        Gro,
        PortMatch,
        Rule,
        VniMatch, //
    },
    DOCKER_PREFIX,
};

/// How much of an ID a name has.
const SHORT: usize = 12;

/// Stands for the network of ports that are the host's.
const HOST_PORTS: &str = "ports";

/// The name of a container's rule of that number in a network, or for ports that are the host's.
pub(crate) fn rule_name(container: &str, network: Option<&str>, number: usize) -> String {
    let container = short(container);
    let network = network.map_or(HOST_PORTS, short);

    format!("{DOCKER_PREFIX}{container}:{network}:{number}")
}

/// The part of an ID that names have.
pub(crate) fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// The container, by the short form of its ID, that a rule of that name would be for.
pub(crate) fn container_of(name: &str) -> Option<&str> {
    let mut words = name.strip_prefix(DOCKER_PREFIX)?.split(':');
    let (container, network, number) = (words.next()?, words.next()?, words.next()?);
    let is_id = |word: &str| {
        word.len() == SHORT
            && word
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    let is_own = words.next().is_none()
        && is_id(container)
        && (network == HOST_PORTS || is_id(network))
        && number.parse::<u16>().is_ok_and(|n| n.to_string() == number);

    is_own.then_some(container)
}

/// Whether a rule looks like one that this daemon makes, or has begun to make.
pub(crate) fn is_likely(rule: &Rule) -> bool {
    let flows = &rule.flows;
    let is_whole = !rule.enabled || flows.vni != VniMatch::Any;
    let is_destination = match flows.destination {
        AddressMatch::Any => true,
        AddressMatch::In(prefix) => match prefix.address() {
            address if prefix.length() == 0 => address.is_unspecified(),
            std::net::IpAddr::V4(_) => prefix.length() == 32,
            std::net::IpAddr::V6(_) => prefix.length() == 128,
        },
    };

    is_whole
        && is_destination
        && flows.source == AddressMatch::Any
        && flows.source_port == PortMatch::Any
        && rule.gro == Gro::Auto
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(fields: &str) -> Rule {
        let mut rule = prism_config::new_rule();

        for field in fields.split(' ') {
            let (name, value) = field.split_once('=').unwrap();

            prism_config::set_named(&mut rule, name, value).unwrap();
        }
        rule
    }

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn names_are_found_again() {
        // IDs of Swarm's networks have other letters than those of containers.
        for network in [None, Some("u1mlcxjhvrwz3k5hlyu2bq4fi"), Some(ID)] {
            let name = rule_name(ID, network, 17);

            assert_eq!(container_of(&name), Some("0123456789ab"), "{name}");
            assert_eq!(prism_config::rule::check_name(name.as_bytes()), Ok(()));
        }
    }

    #[test]
    fn other_names_are_others() {
        for name in [
            "cache",
            "docker:cache",
            "docker:0123456789ab:ports",
            "docker:0123456789ab:ports:x",
            "docker:0123456789ab:ports:07",
            "docker:0123456789ab:ports:0:0",
            "docker:0123456789AB:ports:0",
            "docker:0123456789a:ports:0",
            "docker:0123456789ab:port:0",
            "docker-0123456789ab-ports-0",
        ] {
            assert_eq!(container_of(name), None, "{name}");
        }
    }

    #[test]
    fn others_do_not_look_like_ours() {
        for fields in [
            "vni=42 destination=10.0.0.3 enabled=1",
            "vni=42 destination=fd00::3 protocol=tcp destination_port=80-90 enabled=1",
            "vni=none destination=0.0.0.0/0 protocol=tcp destination_port=80 enabled=1",
            "vni=none protocol=tcp destination_port=80 class=bulk rate=9 dscp=3 enabled=1",
            // Half made.
            "enabled=0",
            "destination=10.0.0.3 enabled=0",
        ] {
            assert!(is_likely(&rule(fields)), "{fields}");
        }
        for fields in [
            "destination=10.0.0.3 enabled=1",
            "vni=42 source=10.0.0.3 enabled=1",
            "vni=42 destination=10.0.0.0/24 enabled=1",
            "vni=42 protocol=tcp source_port=80 enabled=0",
            "vni=42 gro=keep enabled=1",
        ] {
            assert!(!is_likely(&rule(fields)), "{fields}");
        }
    }
}

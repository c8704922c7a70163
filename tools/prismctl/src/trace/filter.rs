// SPDX-License-Identifier: GPL-2.0

//! A flow as a filter of the kernel's: what it lets through is told.

use prism_config::{
    classify::Family,
    rule::{
        AddressMatch,
        DscpMatch,
        Match,
        PortMatch,
        ProtocolMatch,
        VniMatch, //
    }, //
};

/// The filter for events of the flows that `flows` names; `None` for all.
pub(super) fn of(flows: &Match) -> Option<String> {
    let mut terms = Vec::new();

    match flows.vni {
        VniMatch::Any => (),
        VniMatch::None => terms.push("vni == -1".to_owned()),
        VniMatch::Is(vni) => terms.push(format!("vni == {}", vni.get())),
    }
    if let ProtocolMatch::Is(protocol) = flows.protocol {
        terms.push(format!("protocol == {}", protocol.0));
    }
    address(&mut terms, "source", &flows.source);
    address(&mut terms, "destination", &flows.destination);
    port(&mut terms, "source", &flows.source_port);
    port(&mut terms, "destination", &flows.destination_port);
    if let DscpMatch::Is(dscp) = flows.dscp {
        terms.push(format!("dscp == {}", dscp.get()));
    }
    if terms.is_empty() {
        return None;
    }
    // Of some packets no flow is known.
    terms.push("family != 0".to_owned());
    Some(terms.join(" && "))
}

/// Terms for the numbers from `first` to `last`.
fn range(terms: &mut Vec<String>, field: &str, first: u64, last: u64) {
    if first == last {
        terms.push(format!("{field} == {first}"));
        return;
    }
    if first != 0 {
        terms.push(format!("{field} >= {first}"));
    }
    if last != u64::MAX {
        terms.push(format!("{field} <= {last}"));
    }
}

fn address(terms: &mut Vec<String>, end: &str, address: &AddressMatch) {
    let AddressMatch::In(prefix) = address else {
        return;
    };
    let (first, length) = match prefix.address() {
        std::net::IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), prefix.length() + 96),
        std::net::IpAddr::V6(v6) => (v6.to_bits(), prefix.length()),
    };
    let last = first | u128::MAX.checked_shr(length.into()).unwrap_or(0);
    let (high, low) = (|bits: u128| (bits >> 64) as u64, |bits: u128| bits as u64);

    terms.push(match Family::of(prefix.address()) {
        Family::V4 => "family == 4".to_owned(),
        Family::V6 => "family == 6".to_owned(),
    });
    range(terms, &format!("{end}_hi"), high(first), high(last));
    if length > 64 {
        range(terms, &format!("{end}_lo"), low(first), low(last));
    }
}

fn port(terms: &mut Vec<String>, end: &str, port: &PortMatch) {
    if let PortMatch::In(ports) = port {
        let (first, last) = (ports.first().into(), ports.last().into());

        range(terms, &format!("{end}_port"), first, last);
    }
}

#[cfg(test)]
mod tests {
    use prism_config::rule::Rule;

    use super::*;

    fn filter(fields: &[&str]) -> Option<String> {
        let mut rule = Rule::default();

        for field in fields {
            let (name, value) = field.split_once('=').unwrap();
            prism_config::set_named(&mut rule, name, value).unwrap();
        }
        of(&rule.flows)
    }

    #[test]
    fn everything_has_no_filter() {
        assert_eq!(filter(&[]), None);
    }

    #[test]
    fn fields_become_terms() {
        assert_eq!(
            filter(&[
                "vni=42",
                "protocol=tcp",
                "destination=10.0.0.2",
                "destination_port=6379",
                "dscp=ef"
            ])
            .unwrap(),
            "vni == 42 && protocol == 6 && family == 4 && destination_hi == 0 && \
             destination_lo == 281470849515522 && destination_port == 6379 && dscp == 46 && family != 0"
        );
    }

    #[test]
    fn prefixes_and_ranges_have_two_ends() {
        assert_eq!(
            filter(&["vni=none", "source=10.0.0.0/8", "source_port=8000-8999"]).unwrap(),
            "vni == -1 && family == 4 && source_hi == 0 && source_lo >= 281470849515520 && \
             source_lo <= 281470866292735 && source_port >= 8000 && source_port <= 8999 && family != 0"
        );
    }

    #[test]
    fn both_halves_of_ipv6() {
        assert_eq!(
            filter(&["source=fd00::/8"]).unwrap(),
            "family == 6 && source_hi >= 18230571291595767808 && source_hi <= 18302628885633695743 && family != 0"
        );
        assert_eq!(
            filter(&["source=fd00::1"]).unwrap(),
            "family == 6 && source_hi == 18230571291595767808 && source_lo == 1 && family != 0"
        );
        assert_eq!(
            filter(&["source=fd00::/64"]).unwrap(),
            "family == 6 && source_hi == 18230571291595767808 && family != 0"
        );
        // The mask of all has no shift.
        assert_eq!(
            filter(&["source=::/0"]).unwrap(),
            "family == 6 && family != 0"
        );
    }
}

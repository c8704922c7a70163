// SPDX-License-Identifier: GPL-2.0

//! Tests of what needs a kernel: rules in kernel memory, replaced while they are read.

use kernel::prelude::*;

#[kunit_tests(prism_ruleset)]
mod ruleset {
    use core::net::Ipv4Addr;

    use kernel::{
        prelude::*,
        str::CString,
        sync::Arc, //
    };
    use knet::context::with_rx_context;

    use crate::{
        classify::{
            rule::{
                Class,
                Rule, //
            },
            Addresses,
            Flow,
            Protocol,
            Transport, //
        },
        ruleset::{
            BuildError,
            RuleState,
            Rules,
            Verdict, //
        },
    };

    /// The bytes of each packet.
    const BYTES: u32 = 100;

    /// A rule for the UDP packets to `destination`.
    fn rule(destination: &str, class: Class, rate: &str) -> Result<Rule> {
        let mut rule = Rule {
            class,
            rate: rate.parse().map_err(|_| EINVAL)?,
            ..Rule::default()
        };

        rule.flows.protocol = "udp".parse().map_err(|_| EINVAL)?;
        rule.flows.destination = destination.parse().map_err(|_| EINVAL)?;
        Ok(rule)
    }

    /// Makes a rule effective; the state is that of a new one.
    fn enable(rules: &Rules, name: &CStr, rule: &Rule) -> Result<Arc<RuleState>> {
        let state = RuleState::new()?;

        rules.enable(name, rule, &state).map_err(|e| e.errno())?;
        Ok(state)
    }

    /// What the rules say of a UDP packet to `destination`.
    fn classify(rules: &Rules, destination: [u8; 4]) -> Option<Verdict> {
        let addresses = Addresses::V4 {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: destination.into(),
        };
        let transport = Transport {
            protocol: Protocol::UDP,
            source_port: 1024,
            destination_port: 53,
        };
        let flow = Flow::new(None, addresses, transport, 0);

        with_rx_context(|cx| rules.read(&cx)?.classify(&cx, &flow, BYTES))
    }

    fn class(rules: &Rules, destination: [u8; 4]) -> Option<Class> {
        classify(rules, destination).map(|verdict| verdict.class)
    }

    /// A set exists only while there are rules, and the most specific rule decides.
    #[test]
    fn rules_come_and_go() -> Result {
        let rules = Rules::new()?;
        assert!(rules.is_empty() && class(&rules, [10, 0, 0, 1]).is_none());

        enable(&rules, c"wide", &rule("10.0.0.0/8", Class::Bulk, "0")?)?;
        enable(&rules, c"narrow", &rule("10.0.0.1/32", Class::High, "0")?)?;
        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::High));
        assert!(class(&rules, [10, 0, 0, 2]) == Some(Class::Bulk));
        assert!(class(&rules, [11, 0, 0, 1]).is_none());

        rules.disable(c"narrow");
        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::Bulk));
        rules.disable(c"wide");
        assert!(rules.is_empty() && class(&rules, [10, 0, 0, 1]).is_none());
        Ok(())
    }

    /// Among equally specific rules the first by name decides, whichever came first.
    #[test]
    fn names_order_equal_rules() -> Result {
        let rules = Rules::new()?;
        enable(&rules, c"b", &rule("10.0.0.0/8", Class::Bulk, "0")?)?;
        enable(&rules, c"a", &rule("10.0.0.0/8", Class::High, "0")?)?;
        enable(&rules, c"c", &rule("10.0.0.0/8", Class::Normal, "0")?)?;

        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::High));
        rules.disable(c"a");
        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::Bulk));
        Ok(())
    }

    /// Counters belong to the rule and not to the set.
    #[test]
    fn counters_survive_other_changes() -> Result {
        let rules = Rules::new()?;
        let first = rule("10.0.0.1/32", Class::High, "0")?;
        let state = enable(&rules, c"first", &first)?;

        class(&rules, [10, 0, 0, 1]);
        let other = enable(&rules, c"other", &rule("10.0.0.2/32", Class::High, "0")?)?;
        class(&rules, [10, 0, 0, 1]);
        rules.disable(c"first");
        class(&rules, [10, 0, 0, 1]);
        rules
            .enable(c"first", &first, &state)
            .map_err(|e| e.errno())?;
        class(&rules, [10, 0, 0, 1]);

        assert!(state.packets() == 3 && state.bytes() == 3 * u64::from(BYTES));
        assert!(other.packets() == 0 && other.bytes() == 0);
        Ok(())
    }

    /// What exceeds the rate is counted all the same and loses its class, unless that is low anyway.
    #[test]
    fn rate_demotes() -> Result {
        let rules = Rules::new()?;
        let state = enable(&rules, c"high", &rule("10.0.0.1/32", Class::High, "1")?)?;
        enable(&rules, c"bulk", &rule("10.0.0.2/32", Class::Bulk, "1")?)?;
        let count = |class, demoted| {
            (0..50)
                .filter_map(|_| classify(&rules, [10, 0, 0, 1]))
                .filter(|verdict| *verdict == Verdict { class, demoted })
                .count()
        };

        // The burst is used up by the first fifty.
        assert!((10..50).contains(&count(Class::High, false)));
        assert!(count(Class::Normal, true) == 50 && state.packets() == 100);
        let is_bulk = |verdict: Verdict| verdict.class == Class::Bulk && !verdict.demoted;
        assert!((0..50).all(|_| classify(&rules, [10, 0, 0, 2]).is_some_and(is_bulk)));
        Ok(())
    }

    /// Each of many rules is found, until it is withdrawn.
    #[test]
    fn many_rules() -> Result {
        let rules = Rules::new()?;
        let name = |i: u8| CString::try_from_fmt(fmt!("rule{i}"));

        for i in 0..40 {
            let destination = CString::try_from_fmt(fmt!("10.{i}.0.0/16"))?;
            let rule = rule(destination.to_str()?, Class::High, "0")?;
            enable(&rules, &*name(i)?, &rule)?;
        }
        for i in (0..40).step_by(2) {
            rules.disable(&*name(i)?);
        }
        assert!((0..40).all(|i| class(&rules, [10, i, 1, 1]).is_some() == (i % 2 == 1)));
        Ok(())
    }

    /// A rule that cannot be effective leaves those that are.
    #[test]
    fn refusal_changes_nothing() -> Result {
        let rules = Rules::new()?;
        enable(&rules, c"good", &rule("10.0.0.1/32", Class::High, "0")?)?;
        let refused = rules.enable(c"bad", &Rule::default(), &RuleState::new()?);

        assert!(matches!(refused, Err(BuildError::Table(_))));
        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::High));
        Ok(())
    }
}

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
            Pending,
            RuleId,
            RuleState,
            Rules, //
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
        let state = RuleState::new(name)?;

        rules.enable(name, rule, &state).map_err(|e| e.errno())?;
        Ok(state)
    }

    /// What the rules say of a UDP packet to `destination`: its class, and whether it is demoted.
    fn classify(rules: &Rules, destination: [u8; 4]) -> Option<(Class, bool)> {
        let flow = flow(destination);

        with_rx_context(|cx| {
            let set = rules.read(&cx)?;
            let action = match set.rule(&cx, set.lookup(&flow)) {
                Ok(action) => action,
                Err(Pending) => rules.find(&cx, &flow),
            };
            let verdict = action?.apply(&cx, BYTES);
            Some((verdict.class, verdict.class != verdict.own))
        })
    }

    /// A UDP packet to `destination`.
    fn flow(destination: [u8; 4]) -> Flow {
        let addresses = Addresses::V4 {
            source: Ipv4Addr::new(192, 0, 2, 1),
            destination: destination.into(),
        };
        let transport = Transport {
            protocol: Protocol::UDP,
            source_port: 1024,
            destination_port: 53,
        };

        Flow::new(None, addresses, transport, 0)
    }

    fn class(rules: &Rules, destination: [u8; 4]) -> Option<Class> {
        classify(rules, destination).map(|(class, _)| class)
    }

    /// A set exists only while there are rules, and the most specific rule decides.
    #[test]
    fn rules_come_and_go() -> Result {
        let rules = Rules::new()?;
        assert!(rules.is_empty() && class(&rules, [10, 0, 0, 1]).is_none());

        let wide = enable(&rules, c"wide", &rule("10.0.0.0/8", Class::Bulk, "0")?)?;
        let narrow = enable(&rules, c"narrow", &rule("10.0.0.1/32", Class::High, "0")?)?;
        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::High));
        assert!(class(&rules, [10, 0, 0, 2]) == Some(Class::Bulk));
        assert!(class(&rules, [11, 0, 0, 1]).is_none());

        rules.disable(&narrow);
        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::Bulk));
        rules.disable(&wide);
        assert!(rules.is_empty() && class(&rules, [10, 0, 0, 1]).is_none());
        Ok(())
    }

    /// Among equally specific rules the first by name decides, whichever came first.
    #[test]
    fn names_order_equal_rules() -> Result {
        let rules = Rules::new()?;
        enable(&rules, c"b", &rule("10.0.0.0/8", Class::Bulk, "0")?)?;
        let first = enable(&rules, c"a", &rule("10.0.0.0/8", Class::High, "0")?)?;
        enable(&rules, c"c", &rule("10.0.0.0/8", Class::Normal, "0")?)?;

        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::High));
        rules.disable(&first);
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
        rules.disable(&state);
        class(&rules, [10, 0, 0, 1]);
        rules
            .enable(c"first", &first, &state)
            .map_err(|e| e.errno())?;
        class(&rules, [10, 0, 0, 1]);

        assert!(state.packets() == 3 && state.bytes() == 3 * u64::from(BYTES));
        assert!(other.packets() == 0 && other.bytes() == 0);
        Ok(())
    }

    /// The rule for UDP packets to `destination`, as it is found again.
    fn id(rules: &Rules, destination: [u8; 4]) -> Option<RuleId> {
        with_rx_context(|cx| Some(rules.find(&cx, &flow(destination))?.id()))
    }

    /// Whether the rule with that id has that name, if it is found.
    fn is_named(rules: &Rules, id: RuleId, name: &CStr) -> Option<bool> {
        with_rx_context(|cx| {
            let action = rules.read(&cx)?.action(&cx, id)?;

            Some(action.name() == name)
        })
    }

    /// A rule is found by its id as long as it is in the layer where that was taken, and no other is.
    #[test]
    fn ids_find_rules() -> Result {
        let rules = Rules::new()?;
        for index in 0..64 {
            enable_numbered(&rules, index)?;
        }
        // Beside so many it is in a layer of its own.
        enable(&rules, c"recent", &rule("192.0.2.1/32", Class::High, "0")?)?;
        let recent = id(&rules, [192, 0, 2, 1]).ok_or(ENOENT)?;
        let old = id(&rules, [10, 0, 0, 0]).ok_or(ENOENT)?;

        assert!(recent.layer != old.layer);
        assert!(is_named(&rules, recent, c"recent") == Some(true));
        assert!(is_named(&rules, old, c"rule2") == Some(true));

        // So many that all come into one layer.
        for index in 64..256 {
            enable_numbered(&rules, index)?;
        }
        assert!(is_named(&rules, recent, c"recent") != Some(false));
        assert!(is_named(&rules, old, c"rule2") != Some(false));
        assert!(id(&rules, [192, 0, 2, 1]) != Some(recent));
        assert!(id(&rules, [10, 0, 0, 0]) != Some(old));
        Ok(())
    }

    /// Times are there for rules that are there when it begins, and for those that come.
    #[test]
    fn rules_are_measured() -> Result {
        let rules = Rules::new()?;
        let first = rule("10.0.0.1/32", Class::High, "0")?;
        let before = enable(&rules, c"before", &first)?;
        assert!(before.times().is_none());

        rules.measure(true)?;
        let after = enable(&rules, c"after", &rule("10.0.0.2/32", Class::High, "0")?)?;
        assert!(before.times().is_some() && after.times().is_some());
        rules.measure(false)?;
        let late = enable(&rules, c"late", &rule("10.0.0.3/32", Class::High, "0")?)?;
        assert!(before.times().is_some() && late.times().is_none());

        let mut names: KVVec<CString> = KVVec::new();
        rules.disable(&before);
        rules.each(|state| {
            names.push(CString::try_from(state.name())?, GFP_KERNEL)?;
            Ok::<(), Error>(())
        })?;
        assert!(names.iter().map(|name| &**name).eq([c"after", c"late"]));
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
                .filter(|verdict| *verdict == (class, demoted))
                .count()
        };

        // The burst is used up by the first fifty.
        assert!((10..50).contains(&count(Class::High, false)));
        assert!(count(Class::Normal, true) == 50 && state.packets() == 100);
        assert!((0..50).all(|_| classify(&rules, [10, 0, 0, 2]) == Some((Class::Bulk, false))));
        Ok(())
    }

    /// Rules that come and go in any order are found as if all were looked at, settled or not.
    #[test]
    fn many_rules() -> Result {
        const RULES: usize = 320;
        let rules = Rules::new()?;
        let mut random = 1u32;
        let mut enabled: KVVec<Option<Arc<RuleState>>> = KVVec::new();
        enabled.extend_with(RULES, None, GFP_KERNEL)?;

        for step in 0..6 * RULES {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let index = (random >> 16) as usize % RULES;
            // Three of four rules are enabled in the first half, one in the second.
            let is_wanted = (random >> 30 == 0) == (step > 3 * RULES);
            match &enabled[index] {
                None if is_wanted => enabled[index] = Some(enable_numbered(&rules, index)?),
                Some(state) if !is_wanted => {
                    rules.disable(state);
                    enabled[index] = None;
                }
                _ => {}
            }
            assert!(class(&rules, [10, 0, 0, 0]) == expected(&enabled, 0));
            assert!(class(&rules, destination(index)) == expected(&enabled, index));
        }
        for index in 0..RULES {
            assert!(class(&rules, destination(index)) == expected(&enabled, index));
        }
        Ok(())
    }

    /// The address that the rules `index`, `index ^ 1`, `index ^ 2` and `index ^ 3` are about.
    fn destination(index: usize) -> [u8; 4] {
        [10, (index >> 8) as u8, index as u8 & !3, 0]
    }

    /// Rule number `index`, of which each four overlap: two have the same fields, one is for
    /// the host, and one for a wider network.
    fn enable_numbered(rules: &Rules, index: usize) -> Result<Arc<RuleState>> {
        let [a, b, c, d] = destination(index);
        let length = [24, 24, 32, 22][index % 4];
        let prefix = CString::try_from_fmt(fmt!("{a}.{b}.{c}.{d}/{length}"))?;
        let name = CString::try_from_fmt(fmt!("rule{index}"))?;

        enable(
            rules,
            &name,
            &rule(prefix.to_str()?, Class::ALL[index % 4], "0")?,
        )
    }

    /// The class that the enabled ones of [`enable_numbered`] give to [`destination`].
    fn expected(enabled: &[Option<Arc<RuleState>>], index: usize) -> Option<Class> {
        let first = index & !3;

        [2, 0, 1, 3]
            .into_iter()
            .find(|offset| enabled[first + offset].is_some())
            .map(|offset| Class::ALL[offset])
    }

    /// A rule that cannot be effective leaves those that are.
    #[test]
    fn refusal_changes_nothing() -> Result {
        let rules = Rules::new()?;
        enable(&rules, c"good", &rule("10.0.0.1/32", Class::High, "0")?)?;
        let refused = rules.enable(c"bad", &Rule::default(), &RuleState::new(c"bad")?);

        assert!(matches!(refused, Err(BuildError::Table(_))));
        assert!(class(&rules, [10, 0, 0, 1]) == Some(Class::High));
        Ok(())
    }
}

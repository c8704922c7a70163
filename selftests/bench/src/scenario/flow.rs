// SPDX-License-Identifier: GPL-2.0

//! The flows of a scenario.

use anyhow::{
    bail,
    ensure,
    Context,
    Result, //
};

const CLASSES: &[&str] = &["high", "interactive", "normal", "bulk"];
const PLACES: &[&str] = &["c1", "c2", "c3", "h1", "h2", "h3"];
const FLOW_KEYS: &[&str] = &[
    "protocol", "burst", "arrivals", "seed", "size", "ports", "from_ms", "to_ms", "note", "group",
];

/// A flow of a scenario.
pub struct Flow {
    pub name: String,
    pub class: String,
    /// In packets per second, or `load`.
    pub rate: String,
    pub to: String,
    /// The rate of its rule; 0 is none.
    pub limit: u32,
    /// What a packet takes that is in time.
    pub deadline_ns: Option<u64>,
    /// Of a packet's content, in bytes.
    pub size: u32,
    /// What is simnic's business.
    pub rest: Vec<String>,
}

impl Flow {
    /// Whether its packets are segments of a connection.
    pub fn is_connection(&self) -> bool {
        self.rest.iter().any(|word| word == "protocol=tcp")
    }

    /// Reads the words after `flow`.
    pub fn parse(words: &[&str]) -> Result<Self> {
        let (name, words) = words.split_first().context("a flow has a name")?;
        let mut flow = Self {
            name: (*name).to_owned(),
            class: "normal".to_owned(),
            rate: String::new(),
            to: String::new(),
            limit: 0,
            deadline_ns: None,
            size: 64,
            rest: Vec::new(),
        };

        for word in words {
            let (key, value) = word
                .split_once('=')
                .with_context(|| format!("{word}: no KEY=VALUE"))?;
            match key {
                "class" if CLASSES.contains(&value) => flow.class = value.to_owned(),
                "to" if PLACES.contains(&value) => flow.to = value.to_owned(),
                "rate" if value == "load" || within(value, 1, 10_000_000).is_ok() => {
                    flow.rate = value.to_owned();
                }
                "class" | "to" | "rate" => bail!("{key}: no such value: {value}"),
                "limit" => flow.limit = within(value, 1, 10_000_000).context("limit")?,
                "deadline_us" => {
                    let us = within(value, 1, 10_000_000).context("deadline_us")?;
                    flow.deadline_ns = Some(u64::from(us) * 1000);
                }
                _ if FLOW_KEYS.contains(&key) => flow.rest.push((*word).to_owned()),
                _ => bail!("a flow has no {key}"),
            }
        }
        ensure!(!flow.rate.is_empty(), "flow {name} has no rate");
        ensure!(!flow.to.is_empty(), "flow {name} goes nowhere");
        ensure!(
            flow.limit == 0 || flow.class != "normal",
            "flow {name} has a limit and no rule"
        );
        for word in &flow.rest {
            if let Some(size) = word.strip_prefix("size=") {
                flow.size = within(size, 24, 1400).context("size")?;
            }
        }
        Ok(flow)
    }
}

/// Reads a number.
pub fn within(text: &str, least: u32, most: u32) -> Result<u32> {
    let number = text.parse().with_context(|| format!("{text}: no number"))?;

    ensure!(
        (least..=most).contains(&number),
        "{number} is not from {least} to {most}"
    );
    Ok(number)
}

// SPDX-License-Identifier: GPL-2.0

//! The functions of a kernel, from `/proc/kallsyms`.

use anyhow::{
    Context,
    Result, //
};

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    address: u64,
    /// Its name; where the compiler has put a part of it elsewhere, that part is another function.
    pub name: String,
    /// The module that it is of, or nothing.
    pub module: String,
}

/// Functions, by their address.
#[derive(Debug, Default)]
pub struct Symbols(Vec<Function>);

/// A place in code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the functions it is; `None` is code of a program, or made at run time.
    pub function: Option<usize>,
    /// Whether it is the first instruction.
    pub is_entry: bool,
}

/// Where the kernel's half of the addresses begins.
const KERNEL: u64 = 1 << 63;

impl Symbols {
    /// Reads lines `ADDRESS TYPE NAME [MODULE]`.
    ///
    /// # Errors
    ///
    /// A line that is none, or addresses that the kernel does not tell.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut functions = lines
            .map(|line| Function::parse(line).with_context(|| format!("no symbol: {line}")))
            .collect::<Result<Vec<_>>>()?;

        // Stable: of several names, the first stays.
        functions.sort_by_key(|function| function.address);
        functions.dedup_by_key(|function| function.address);
        Ok(Self(functions))
    }

    /// What is at an address.
    #[must_use]
    pub fn find(&self, address: u64) -> Place {
        let after = self.0.partition_point(|it| it.address <= address);
        let function = after.checked_sub(1).filter(|_| address >= KERNEL);

        Place {
            function,
            is_entry: function.is_some_and(|it| self.0[it].address == address),
        }
    }

    /// A function that was found.
    #[must_use]
    pub fn get(&self, function: usize) -> &Function {
        &self.0[function]
    }
}

impl Function {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let name = words.nth(1)?;
        let module = words.next().unwrap_or_default();

        (address != 0).then(|| Self {
            address,
            name: name.to_owned(),
            module: module.trim_matches(['[', ']']).to_owned(),
        })
    }

    /// Its name as one wants to read it, with its module.
    #[must_use]
    pub fn label(&self) -> String {
        let name = short(&format!("{:#}", rustc_demangle::demangle(&self.name)));

        match &*self.module {
            "" => name,
            module => format!("{name} [{module}]"),
        }
    }
}

/// A name of Rust's whose types, those between `<` and `>`, are without the path to them.
fn short(name: &str) -> String {
    let mut short = String::new();
    let mut depth = 0;

    for letter in name.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => (),
        }
        short.push(letter);
        if let Some(path) = short.strip_suffix("::").filter(|_| depth > 0) {
            let parent = path.trim_end_matches(|it: char| it.is_alphanumeric() || it == '_');
            short.truncate(parent.len());
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_functions() {
        let text = "ffffffff81000010 T second\nffffffff81000000 T first\n\
                    ffffffff81000010 t other_name\nffffffffc0000000 t third\t[module]";
        let symbols = Symbols::parse(text.lines()).unwrap();
        let at = |address| {
            let place = symbols.find(address);
            (
                place.function.map(|it| symbols.get(it).label()),
                place.is_entry,
            )
        };

        assert_eq!(at(0xffff_ffff_8100_0000), (Some("first".into()), true));
        assert_eq!(at(0xffff_ffff_8100_000f), (Some("first".into()), false));
        assert_eq!(at(0xffff_ffff_8100_0010), (Some("second".into()), true));
        assert_eq!(
            at(0xffff_ffff_c000_0001),
            (Some("third [module]".into()), false)
        );
        assert_eq!(at(0x7fff_0000_0000), (None, false));
    }

    #[test]
    fn shortens_names() {
        for (name, wanted) in [
            ("netif_receive_skb", "netif_receive_skb"),
            ("prism::packet::parse", "prism::packet::parse"),
            ("<a::B as c_d::e::F>::g", "<B as F>::g"),
            ("a::b::<c::D<e::F>, 2048>", "a::b::<D<F>, 2048>"),
        ] {
            assert_eq!(short(name), wanted);
        }
    }

    #[test]
    fn refuses_what_is_no_symbol() {
        for line in [
            "",
            "no T address",
            "0000000000000000 T hidden",
            "ffffffff81000000 T",
        ] {
            assert!(Symbols::parse([line].into_iter()).is_err(), "{line}");
        }
    }
}

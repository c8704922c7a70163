// SPDX-License-Identifier: GPL-2.0

//! Why a command fails.

use std::{
    ffi::OsString,
    io,
    path::{
        Path,
        PathBuf, //
    },
};

use prism_config::{
    Failure,
    Problems, //
};
use serde_json::{
    json,
    Value, //
};

use crate::counted::debugfs::Unseen;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Module(#[from] prism_config::Error),
    #[error("{0}")]
    Value(String),
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error("{WRONG_FILE}\n{}", in_file(.path, .problems))]
    File { path: PathBuf, problems: Problems },
    #[error("{}: {why}", .path.display())]
    Io { path: PathBuf, why: io::Error },
    #[error("there is no tracefs: mount -t tracefs none /sys/kernel/tracing")]
    NoTracefs,
    #[error("standard output is no terminal: prismctl top --once, or --batch TIMES")]
    NoTerminal,
    #[error("a screen is no JSON: prismctl --json top --once, or --batch TIMES")]
    NoScreen,
    #[error("times cannot be measured: this kernel is locked down, as with Secure Boot (see kernel_lockdown(7))")]
    LockedDown,
    #[error("{what}: {why}")]
    Unseen { what: &'static str, why: Unseen },
    #[error("the module that is loaded has no tracepoints")]
    NoTracepoints,
    #[error("output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// The exit status. What is different has 1, as diff(1) has it, so this is not.
    pub(crate) fn status(&self) -> u8 {
        match self {
            // To try again does not help.
            Self::File { .. } => 3,
            Self::Failure(Failure::Left { .. }) => 4,
            _ => 2,
        }
    }

    /// The same as the text, with what is wrong with a file by its places.
    pub(crate) fn as_json(&self) -> Value {
        match self {
            Self::File { path, problems } => {
                let problems = problems.0.iter().map(|problem| {
                    json!({
                        "file": path.to_string_lossy(),
                        "line": problem.line,
                        "column": problem.column,
                        "what": problem.what,
                        "text": problem.text,
                    })
                });

                json!({ "error": WRONG_FILE, "problems": problems.collect::<Vec<_>>() })
            }
            _ => json!({ "error": self.to_string() }),
        }
    }
}

/// What is wrong with the command line, where `arguments` ask for JSON. `None` for help and the version, too.
pub(crate) fn of_arguments(
    arguments: impl Iterator<Item = OsString>,
    why: &clap::Error,
) -> Option<Value> {
    // Behind that no word is an option.
    let is_json = arguments
        .take_while(|word| word != "--")
        .any(|word| word == "--json");
    let text = why.render().to_string();
    let text = text.trim();

    (is_json && why.use_stderr())
        .then(|| json!({ "error": text.strip_prefix("error: ").unwrap_or(text) }))
}

const WRONG_FILE: &str = "the file is wrong, and nothing was changed";

/// What is wrong, as compilers tell it, so that editors find the place.
fn in_file(path: &Path, Problems(problems): &Problems) -> String {
    let lines = problems
        .iter()
        .map(|problem| format!("{}:{problem}", path.display()));

    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use prism_config::State;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn json_has_the_places() {
        let error = Error::File {
            path: "prism.toml".into(),
            problems: State::from_file(b"quantum = 1\nmode = \"fast\"\n").unwrap_err(),
        };
        let json = error.as_json();
        let problem = &json["problems"][0];

        assert_eq!(json["error"], WRONG_FILE);
        assert_eq!(json["problems"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&problem["file"], &problem["line"], &problem["column"]),
            (&json!("prism.toml"), &json!(2), &json!(8))
        );
        assert_eq!(problem["text"], "mode = \"fast\"");
        assert!(error.to_string().contains("prism.toml:2:8: "));
        assert!(error
            .to_string()
            .contains(problem["what"].as_str().unwrap()));
    }

    #[test]
    fn what_cannot_be_read_is_said_with_the_reason() {
        let unseen = |why| {
            let what = "what each CPU has counted is not known";

            Error::Unseen { what, why }.to_string()
        };
        let path = || PathBuf::from("/sys/kernel/debug/prism/counters");

        assert_eq!(
            unseen(Unseen::Denied(path())),
            "what each CPU has counted is not known: only root may read /sys/kernel/debug/prism/counters"
        );
        assert_eq!(
            unseen(Unseen::NoDebugfs("/sys/kernel/debug/prism".into())),
            "what each CPU has counted is not known: \
             there is no /sys/kernel/debug/prism: mount -t debugfs none /sys/kernel/debug"
        );
    }

    #[test]
    fn json_has_the_text() {
        let error = Error::Value("no".into());

        assert_eq!(error.as_json(), json!({ "error": "no" }));
    }

    /// What is printed as JSON of a command line that is wrong, or is answered at once.
    fn of_line(line: &str) -> Option<String> {
        let words = || line.split(' ').map(OsString::from);
        let why = Cli::try_parse_from([OsString::from("prismctl")].into_iter().chain(words()))
            .err()
            .unwrap();
        let json = of_arguments(words(), &why)?;

        Some(json["error"].as_str().unwrap().to_owned())
    }

    #[test]
    fn json_has_what_is_wrong_with_arguments() {
        let what = of_line("--json rule ad").unwrap();

        assert!(what.starts_with("unrecognized subcommand 'ad'\n"), "{what}");
        assert_eq!(what, what.trim());
        assert!(!what.contains('\u{1b}'), "{what:?}");
        assert!(of_line("doctor --wait 0 --json")
            .unwrap()
            .contains("--wait"));
    }

    #[test]
    fn help_and_what_asks_for_no_json_are_text() {
        for line in [
            "--json --help",
            "--json --version",
            "--json help rule",
            "rule ad",
        ] {
            assert_eq!(of_line(line), None, "{line}");
        }
        assert_eq!(of_line("stats -- --json"), None);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The containers that have no rule though they ask for a class, as `prismd` says.

use std::{
    io::{
        self,
        Write, //
    },
    path::Path,
};

use prism_config::{
    Known,
    LeftOut, //
};
use serde::Serialize;

use crate::output::{
    styled,
    visible,
    BOLD,
    WARN, //
};

/// What `prismd` says, if there is one.
#[derive(Serialize)]
pub(super) struct Told {
    /// Whether it runs; `None` for who may not know. What one said that was killed may be true no more.
    is_running: Option<bool>,
    containers: Vec<LeftOut>,
    /// Why there is nothing that can be shown.
    problem: Option<String>,
}

/// What the file at `path` tells. `None` where there is none.
pub(super) fn told(path: &Path) -> Option<Told> {
    let (is_running, containers, problem) = match Known::read(path) {
        Ok(Known::Nothing) => return None,
        Ok(Known::Now(containers)) => (Some(true), containers, None),
        Ok(Known::Once(containers)) => (Some(false), containers, None),
        Ok(Known::Private) => (None, Vec::new(), Some("only root may know".to_owned())),
        Ok(Known::Garbage(why)) => (
            None,
            Vec::new(),
            Some(format!(
                "{} is not what prismd of this version writes: {why}",
                path.display()
            )),
        ),
        Err(why) => (None, Vec::new(), Some(format!("{}: {why}", path.display()))),
    };

    Some(Told {
        is_running,
        containers,
        problem,
    })
}

impl Told {
    /// Nothing, where each container that asks for a class has its rules.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(problem) = &self.problem {
            let text = format!("containers without a rule: {}", visible(problem));

            return writeln!(out, "{}", styled(WARN, text));
        }
        if self.is_running == Some(false) {
            let text = "prismd does not run, nor was it stopped: systemctl status prismd";

            writeln!(out, "{}", styled(WARN, text))?;
        }
        if !self.containers.is_empty() {
            let heading = "containers that ask for a class and have no rule";
            let when = match self.is_running {
                Some(false) => ", as it was then",
                _ => "",
            };

            writeln!(out, "{}", styled(BOLD, format!("{heading}{when}")))?;
        }
        for LeftOut {
            id,
            name,
            network,
            reason,
            text,
        } in &self.containers
        {
            // The engine may not tell of one that runs what its name is.
            let name = if name.is_empty() { id } else { name };
            let of = match network.as_str() {
                "" => String::new(),
                network => format!(", network {}", visible(network)),
            };

            writeln!(
                out,
                "  {}{of}: {} ({})",
                visible(name),
                visible(text),
                visible(reason)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use prism_config::LeftOutFile;

    use super::*;

    fn container(name: &str, network: &str) -> LeftOut {
        LeftOut {
            id: "000000000001".to_owned(),
            name: name.to_owned(),
            network: network.to_owned(),
            reason: "encrypted".to_owned(),
            text: "the network is encrypted".to_owned(),
        }
    }

    fn shown(told: &Told) -> String {
        let mut out = Vec::new();

        told.print(&mut out).unwrap();
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).unwrap()
    }

    #[test]
    fn without_a_daemon_nothing_is_said() {
        let dir = tempfile::tempdir().unwrap();

        assert!(told(&dir.path().join("left-out.json")).is_none());
    }

    #[test]
    fn who_has_no_rule_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("left-out.json");
        let mut file = LeftOutFile::new(&path);

        file.set(Vec::new()).unwrap();
        assert_eq!(shown(&told(&path).unwrap()), "");
        file.set(vec![container("db", "secret"), container("web\x1b", "")])
            .unwrap();
        let now = told(&path).unwrap();
        assert_eq!(
            shown(&now),
            "containers that ask for a class and have no rule\n\
             \x20 db, network secret: the network is encrypted (encrypted)\n\
             \x20 web\\u{1b}: the network is encrypted (encrypted)\n"
        );
        let json = serde_json::to_value(&now).unwrap();
        assert_eq!(json["is_running"], true);
        assert_eq!(json["containers"][0]["reason"], "encrypted");
        assert_eq!(json["containers"][0]["network"], "secret");
        assert_eq!(json["problem"], serde_json::Value::Null);
    }

    #[test]
    fn what_is_quoted_already_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("left-out.json");
        let mut file = LeftOutFile::new(&path);
        let text = r#"label io.prism.rate="1\u{1b}": expected a number"#.to_owned();

        file.set(vec![LeftOut {
            text: text.clone(),
            ..container("db", "")
        }])
        .unwrap();
        let shown = shown(&told(&path).unwrap());
        assert!(shown.contains(&text), "{shown}");
    }

    #[test]
    fn one_whose_name_is_not_known_has_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("left-out.json");
        let mut file = LeftOutFile::new(&path);

        file.set(vec![container("", "")]).unwrap();
        assert_eq!(
            shown(&told(&path).unwrap()),
            "containers that ask for a class and have no rule\n\
             \x20 000000000001: the network is encrypted (encrypted)\n"
        );
    }

    #[test]
    fn what_is_old_is_said_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("left-out.json");
        let mut file = LeftOutFile::new(&path);

        file.set(vec![container("db", "secret")]).unwrap();
        let text = fs::read(&path).unwrap();
        drop(file);
        fs::write(&path, text).unwrap();
        let old = told(&path).unwrap();
        assert_eq!(old.is_running, Some(false));
        assert_eq!(
            shown(&old),
            "prismd does not run, nor was it stopped: systemctl status prismd\n\
             containers that ask for a class and have no rule, as it was then\n\
             \x20 db, network secret: the network is encrypted (encrypted)\n"
        );
    }

    #[test]
    fn garbage_is_said_in_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("left-out.json");

        fs::write(&path, "[").unwrap();
        let text = shown(&told(&path).unwrap());
        assert!(
            text.contains("is not what prismd of this version writes"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

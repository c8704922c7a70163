// SPDX-License-Identifier: GPL-2.0

//! Who asks for a class and has no rule, told in a file that `prismctl status` reads.

use prism_config::{
    LeftOut,
    LEFT_OUT, //
};
use tracing::warn;

use super::Daemon;
use crate::desired::Lacking;

impl<K> Daemon<K> {
    /// Says who is left out, to who looks at the host.
    pub(super) fn say_who_is_left_out(&mut self) {
        let containers = self.left_out();
        let Some(file) = &mut self.left_out else {
            return;
        };
        let unwritten = file.set(containers).err().map(|why| why.to_string());

        if let Some(why) = unwritten
            .as_ref()
            .filter(|why| self.unwritten.as_ref() != Some(why))
        {
            warn!("prismctl status cannot tell which containers have no rule: {LEFT_OUT}: {why}");
        }
        self.unwritten = unwritten;
    }

    /// The containers that ask for a class and have no rule, or none for one of their networks.
    fn left_out(&self) -> Vec<LeftOut> {
        let of = |id: &String, network: &str, reason: &str, text: String| LeftOut {
            id: id.clone(),
            name: self
                .watched
                .get(id)
                .map_or_else(String::new, |of| of.name.clone()),
            network: network.to_owned(),
            reason: reason.to_owned(),
            text,
        };
        let wrong = self.watched.iter().filter(|(_, of)| of.is_refused);
        let wrong = wrong.map(|(id, watched)| of(id, "", "label", watched.notes.join("; ")));
        let lacking = self.watched.iter().flat_map(|(id, watched)| {
            let lacking = watched.desired.lacking.iter();

            lacking.map(move |lacking| {
                let Lacking { network, reason } = lacking;

                of(id, network, reason.word(), reason.to_string())
            })
        });
        let failed = self
            .failed
            .iter()
            .filter(|(id, _)| self.watched.contains_key(*id))
            .map(|(id, why)| of(id, "", "refused", why.clone()));
        let untold = self.untold.iter().filter_map(|(id, why)| {
            why.as_ref().map(|why| {
                of(
                    id,
                    "",
                    "untold",
                    format!("any that it had stays as it is: {why}"),
                )
            })
        });

        wrong.chain(lacking).chain(failed).chain(untold).collect()
    }
}

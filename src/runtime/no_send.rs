//! A build that cannot send requests again.

use super::Runtime;
use crate::effect::{Effect, Reply};
use crosstail_engine::insight::SendSecrets;

impl Runtime {
    /// Names the variables with the secrets of requests that are sent again.
    pub fn set_send_secrets(&mut self, secrets: Vec<SendSecrets>) {
        self.send_secrets = secrets.into();
    }

    /// Says that this build sends nothing; returns any other effect.
    pub(super) fn run_send(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::PrepareSend(ticket, _) | Effect::Send(ticket, _) => {
                let why = "this build sends nothing again; build with the feature resend".to_owned();
                self.spawn(self.sending.clone(), ticket, async move { Reply::SendingEnded(Err(why)) });
            }
            Effect::StopSending => drop(self.restart_scope(|this| &mut this.sending)),
            other => return Some(other),
        }
        None
    }
}

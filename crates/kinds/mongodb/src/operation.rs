//! What is no longer wanted ends in the server, too.
//!
//! Dropping a call closes its connection, which the server notices only between two steps of an operation. So it is told:
//! `killOp` ends the operations that carry the comment of the job. A user may always list and end what the same user
//! runs; what cannot be ended, `maxTimeMS` ends.
//!
//! Source: MongoDB manual, "$currentOp (aggregation)" and "killOp".

use super::Asking;
use bson::{Bson, Document, doc};
use crosstail_source::cleanup;
use mongodb::Client;
use std::sync::LazyLock;

/// Tells this process from others, whose jobs have the same numbers.
static RUN: LazyLock<String> = LazyLock::new(|| uuid::Uuid::new_v4().simple().to_string());

/// By which an operation of a job is recognised in `currentOp` and in the profiler, by us and by an administrator.
pub(super) fn comment(job: u64) -> String {
    format!("crosstail job {job} of {}", *RUN)
}

/// Operations of a job, which end with it.
struct Operation {
    client: Client,
    comment: String,
    answered: bool,
}

/// Does work for a job. Where it is dropped before it has ended, what runs in the server ends.
pub(super) async fn watched<F: Future>(database: Asking<'_>, work: F) -> F::Output {
    let mut operation = Operation { client: database.client.clone(), comment: database.comment(), answered: false };
    let answer = work.await;
    operation.answered = true;
    answer
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.answered {
            let (client, comment) = (self.client.clone(), std::mem::take(&mut self.comment));
            // Nobody is left to be told of an error; the time limit of the operation stands.
            cleanup::spawn(async move { drop(kill(&client, &comment).await) });
        }
    }
}

async fn kill(client: &Client, comment: &str) -> mongodb::error::Result<()> {
    let admin = client.database("admin");
    let ours = doc! { "$or": [{ "command.comment": comment }, { "cursor.originatingCommand.comment": comment }] };
    let own = doc! { "$currentOp": { "allUsers": false, "idleCursors": false } };
    let mut found = admin.aggregate([own, doc! { "$match": ours }, doc! { "$project": { "opid": 1 } }]).await?;
    while found.advance().await? {
        let one = Document::try_from(found.current().to_owned())?;
        // A number; of a sharded cluster, a text with the name of the shard.
        let operation = one.get("opid").cloned().unwrap_or(Bson::Null);
        admin.run_command(doc! { "killOp": 1, "op": operation }).await?;
    }
    Ok(())
}

//! `crosstail resend`: sends outgoing calls again.

use super::args::{ResendArgs, TextOrJson};
use super::output::{aligned, print_error};
use super::{UsageError, exit, sources};
use crate::config::Overrides;
use crate::effect::{SendPlan, Sent};
use crate::runtime::{MergedHistory, Sources, Work, audit_file, resendable, send};
use anyhow::{Context as _, Result, ensure};
use crosstail_core::model::{Activity, redact_text, visible_line};
use crosstail_engine::insight::{HeaderSource, Resend};
use crosstail_export::safe_json;
use crosstail_source::PageQuery;
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};

pub(super) async fn run(args: &ResendArgs, choice: &Overrides) -> Result<u8> {
    ensure!(
        !args.filter.text().trim().is_empty(),
        UsageError("say what to send again: a filter such as id:7f3a9c21 or 'status:failed system:SAP'".to_owned())
    );
    let config = super::configuration(choice)?;
    let secrets = config.sends.iter().map(|entry| entry.secrets()).collect::<Result<Vec<_>, _>>();
    let secrets = secrets.map_err(UsageError)?;
    let (filter, context) = sources::filter(&args.filter, &args.source, &config)?;
    let (since, until) = sources::range(&args.range, &context)?;
    let opened = sources::open_args(&args.source, &config).await?;
    let work = Work::command("resend");
    // The oldest first, as they were sent.
    let limit = args.limit.saturating_add(1);
    let query = PageQuery { filter, context, since, until, newest_first: false, limit };
    let mut joined = MergedHistory::new(&opened.sources, &work, &opened.names, query);
    let mut found: Vec<Activity> = Vec::new();
    while found.len() < limit
        && let Some(activity) = joined.next().await?
    {
        found.push(activity);
    }
    ensure!(
        found.len() <= args.limit,
        UsageError(format!(
            "more than {} activities match; nothing was sent: narrow the filter, or raise --limit",
            args.limit
        ))
    );
    ensure!(!found.is_empty(), "nothing matches; nothing was sent");
    let all: Sources = opened.sources.clone().into();
    let (mut requests, mut refused) = (Vec::new(), 0);
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    let body = args.body.as_ref().map(read).transpose()?;
    for (activity, request) in resendable(&all, &work, found, &secrets, body.as_deref()).await {
        match request {
            Ok(request) => requests.push(request),
            Err(why) => {
                refused += 1;
                print_error(&format!("{} is not sent: {why}", activity.id));
            }
        }
    }
    let json = args.output == TextOrJson::Json;
    if !json {
        show(&requests)?;
    }
    if !args.allow_sends {
        print_error("this was a dry run; --allow-sends sends");
        return Ok(exit::OK);
    }
    ensure!(refused == 0 || args.skip, "nothing was sent: {refused} cannot be; --skip sends the others");
    ensure!(!requests.is_empty(), "nothing can be sent");
    if !args.yes && !confirmed(requests.len())? {
        print_error("nothing was sent");
        return Ok(exit::OK);
    }
    let plan =
        SendPlan { requests, rate: args.rate, stops: !args.keep_going, who: args.who.clone().unwrap_or_default() };
    let (mut sent, mut failed) = (0, 0);
    let mut lines = Vec::new();
    let outcome = send(&plan, |_, one| {
        sent += 1;
        failed += usize::from(!one.is_success());
        lines.push(one);
        if json && let Some(one) = lines.last() {
            let line = json!({
                "of": one.of, "request_id": one.request_id, "status": one.status, "took_ms": one.took_ms, "said": one.said,
            });
            // A closed pipe ends nothing that was begun.
            let _ = safe_json(&line).map(|line| writeln!(std::io::stdout(), "{line}"));
        }
    })
    .await;
    if !json {
        let row = |one: &Sent| {
            let status = one.status.map_or_else(|| "–".to_owned(), |status| status.to_string());
            [
                one.of.clone(),
                status,
                one.took_ms.to_string(),
                one.request_id.clone(),
                visible_line(&one.said).into_owned(),
            ]
        };
        let rows: Vec<[String; 5]> = lines.iter().map(row).collect();
        aligned(&mut std::io::stdout().lock(), &["of", "http", "ms", "request_id", "said"], &rows)?;
    }
    outcome?;
    let unsent = plan.requests.len() - sent;
    let noted = audit_file().map(|path| path.display().to_string()).unwrap_or_default();
    print_error(&format!("{sent} sent, {failed} failed, {unsent} not sent; noted in {noted}"));
    Ok(if failed > 0 { exit::FAILED } else { exit::OK })
}

/// Prints what would be sent: each request with its headers and its body.
fn show(requests: &[Resend]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let safe = |text: &str| visible_line(&redact_text(text)).into_owned();
    for (number, request) in requests.iter().enumerate() {
        writeln!(out, "{} {} {}", number + 1, request.method, safe(&request.url))?;
        for (name, value) in &request.headers {
            match value {
                HeaderSource::Recorded(value) => writeln!(out, "  {}: {}", safe(name), safe(value))?,
                HeaderSource::Variable(variable) => writeln!(out, "  {}: ${variable}", safe(name))?,
            }
        }
        if let Some(body) = &request.body {
            let text: String = safe(body).chars().take(400).collect();
            let edited = if request.is_edited { "  (changed)" } else { "" };
            writeln!(out, "  {} bytes{edited}  {text}", body.len())?;
        }
    }
    Ok(())
}

/// Asks for the number of requests. Without a terminal there is nobody to ask.
fn confirmed(count: usize) -> Result<bool> {
    let stdin = std::io::stdin();
    ensure!(stdin.is_terminal(), UsageError("nothing was sent; without a terminal, pass --yes and --limit".to_owned()));
    let s = if count == 1 { "" } else { "s" };
    write!(std::io::stderr(), "type {count} to send {count} request{s}: ")?;
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    Ok(line.trim() == count.to_string())
}

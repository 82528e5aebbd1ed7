//! `crosstail resend`: sends outgoing calls again.

use super::args::{ResendArgs, TextOrJson};
use super::output::{aligned, print_error};
use super::{UsageError, exit, sources};
use crate::config::Overrides;
use crate::effect::{SendPlan, Sendable, Sent};
use crate::runtime::{MergedHistory, Sources, Work, audit_file, operations, resendable, send};
use anyhow::{Context as _, Result, ensure};
use crosstail_core::model::{Activity, FinalOutcome, redact_text, visible_line};
use crosstail_engine::insight::{HeaderSource, Held, Resend};
use crosstail_engine::store::LastAttempt;
use crosstail_export::safe_json;
use crosstail_source::PageQuery;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
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
    let work = opened.work("resend");
    // The oldest first, as they were sent.
    let query = PageQuery { filter, context, since, until, newest_first: false, limit: args.limit.saturating_add(1) };
    let found = matching(&opened, &work, query, args.limit).await?;
    let all: Sources = opened.sources.clone().into();
    let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    let body = args.body.as_ref().map(read).transpose()?;
    let matched = found.len();
    let (held, chosen): (Vec<_>, Vec<_>) = operations(&all, &work, &opened.names, context, found)
        .await
        .into_iter()
        .partition(|(_, held)| held.is_some() && !args.anyway);
    let sendable = resendable(&all, &work, chosen, &secrets, body.as_deref()).await;
    let refused = tell(args, matched, &held, &sendable)?;
    if !args.allow_sends {
        print_error("this was a dry run; --allow-sends sends");
        return Ok(exit::OK);
    }
    ensure!(refused == 0 || args.skip, "nothing was sent: {refused} cannot be; --skip sends the others");
    let requests: Vec<Resend> = sendable.into_iter().filter_map(|one| one.request.ok()).collect();
    ensure!(!requests.is_empty(), "nothing can be sent");
    if !args.yes && !confirmed(requests.len())? {
        print_error("nothing was sent");
        return Ok(exit::OK);
    }
    let who = args.who.clone().unwrap_or_else(super::user::user);
    send_all(&SendPlan { requests, rate: args.rate, stops: !args.keep_going, who }, is_json(args)).await
}

fn is_json(args: &ResendArgs) -> bool {
    args.output == TextOrJson::Json
}

/// The activities that match, the oldest first.
async fn matching(opened: &sources::OpenSources, work: &Work, query: PageQuery, limit: usize) -> Result<Vec<Activity>> {
    let mut joined = MergedHistory::new(&opened.sources, work, &opened.names, query);
    let mut found: Vec<Activity> = Vec::new();
    while found.len() <= limit
        && let Some(activity) = joined.next().await?
    {
        found.push(activity);
    }
    ensure!(
        found.len() <= limit,
        UsageError(format!(
            "more than {limit} activities match; nothing was sent: narrow the filter, or raise --limit"
        ))
    );
    ensure!(!found.is_empty(), "nothing matches; nothing was sent");
    Ok(found)
}

/// Prints what is to be sent, and what is left out and why. The number of those that cannot be sent.
fn tell(
    args: &ResendArgs,
    matched: usize,
    held: &[(LastAttempt, Option<Held>)],
    sendable: &[Sendable],
) -> Result<usize> {
    let is_json = is_json(args);
    if let Some(text) = left_out(held, matched.saturating_sub(held.len() + sendable.len())) {
        print_error(&text);
    }
    let refused: Vec<(&Sendable, &String)> =
        sendable.iter().filter_map(|one| Some((one, one.request.as_ref().err()?))).collect();
    for (one, why) in &refused {
        print_error(&format!("{} is not sent: {why}", one.last.activity.id));
    }
    if is_json {
        let out = |last: &LastAttempt, name: &str, why: &str| {
            print_json(&json!({ "of": last.activity.id.to_string(), "sent": false, "left_out": name, "why": why }))
        };
        for (last, why) in held.iter().filter_map(|(last, why)| Some((last, why.as_ref()?))) {
            out(last, why.name(), &why.words())?;
        }
        for (one, why) in &refused {
            out(&one.last, "refused", why)?;
        }
        for one in sendable.iter().filter(|_| !args.allow_sends) {
            if let Ok(request) = &one.request {
                print_json(&planned(one, request))?;
            }
        }
    } else {
        show(sendable)?;
    }
    Ok(refused.len())
}

/// Sends, and prints what became of each.
async fn send_all(plan: &SendPlan, is_json: bool) -> Result<u8> {
    let (mut sent, mut failed) = (0, 0);
    let mut lines = Vec::new();
    let outcome = send(plan, |_, one| {
        sent += 1;
        failed += usize::from(!one.is_success());
        lines.push(one);
        if is_json && let Some(one) = lines.last() {
            let line = json!({
                "of": one.of, "sent": true, "request_id": one.request_id, "status": one.status, "took_ms": one.took_ms,
                "said": one.said,
            });
            // A closed pipe ends nothing that was begun.
            let _ = print_json(&line);
        }
    })
    .await;
    if !is_json {
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

/// Prints a line of JSON without secrets.
fn print_json(line: &Value) -> Result<()> {
    let line = safe_json(line)?;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// What is left out, in words: of how many operations, and why; earlier attempts of what is sent.
fn left_out(held: &[(LastAttempt, Option<Held>)], earlier: usize) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (_, why) in held {
        *counts.entry(why.as_ref().map(Held::words).unwrap_or_default()).or_default() += 1;
    }
    let mut parts: Vec<String> = counts.iter().map(|(why, count)| format!("{count}: {why}")).collect();
    if !parts.is_empty() {
        parts.push("--anyway sends these too".to_owned());
    }
    if earlier > 0 {
        let s = if earlier == 1 { "an earlier try".to_owned() } else { format!("{earlier} earlier tries") };
        parts.insert(0, format!("{s} of what is sent or left out; an operation is sent once"));
    }
    (!parts.is_empty()).then(|| format!("left out: {}", parts.join("; ")))
}

/// What became of an operation so far.
fn history(one: &Sendable) -> String {
    let tries = match one.last.attempts {
        1 => "1 try".to_owned(),
        many => format!("{many} tries"),
    };
    let became = one.last.outcome.map(|outcome| format!(", {}", outcome.name().replace('_', " ")));
    let held = one.held.as_ref().map(|held| format!("; {}", held.words()));
    format!("{tries}{}{}", became.unwrap_or_default(), held.unwrap_or_default())
}

/// A request that would be sent, as JSON.
fn planned(one: &Sendable, request: &Resend) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &request.headers {
        let value = match value {
            HeaderSource::Recorded(value) => value.clone(),
            HeaderSource::Variable(variable) => format!("${variable}"),
        };
        match headers.get_mut(name) {
            Some(Value::Array(all)) => all.push(value.into()),
            _ => drop(headers.insert(name.clone(), json!([value]))),
        }
    }
    json!({
        "of": request.of, "sent": false, "method": request.method, "url": request.url, "headers": headers,
        "body": request.body, "edited": request.is_edited, "tries": one.last.attempts,
        "final": one.last.outcome.map(FinalOutcome::name), "held": one.held.as_ref().map(Held::name),
    })
}

/// Prints what would be sent: each request with its headers and its body, and what became of its operation.
fn show(all: &[Sendable]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let safe = |text: &str| visible_line(&redact_text(text)).into_owned();
    let requests = all.iter().filter_map(|one| Some((one, one.request.as_ref().ok()?)));
    for (number, (one, request)) in requests.enumerate() {
        writeln!(out, "{} {} {}  ({})", number + 1, request.method, safe(&request.url), safe(&history(one)))?;
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

/// Asks for the number of requests, until it is right or nothing is typed. Without a terminal there is nobody to ask.
fn confirmed(count: usize) -> Result<bool> {
    let stdin = std::io::stdin();
    ensure!(stdin.is_terminal(), UsageError("nothing was sent; without a terminal, pass --yes and --limit".to_owned()));
    let s = if count == 1 { "" } else { "s" };
    loop {
        write!(std::io::stderr(), "type {count} to send {count} request{s}, or only Enter to send none: ")?;
        let mut line = String::new();
        if stdin.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(false);
        }
        if line.trim() == count.to_string() {
            return Ok(true);
        }
        writeln!(std::io::stderr(), "that is not {count}; nothing was sent yet")?;
    }
}

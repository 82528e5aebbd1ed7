//! What memory holds is not read again.

use crate::support::{EPOCH, random_database};
use crate::window::{Driven, drawn};
use crosstail::action::Action;
use crosstail::effect::Reply;
use crosstail::runtime::{Recall, Sampling, Work, failures, patterns};
use crosstail::screens::Event;
use crosstail::tui::text::count;
use crosstail_core::filter::{Context, Filter};
use crosstail_core::model::SourceId;
use crosstail_engine::failure::{FailureGroup, FoundFailures};
use crosstail_engine::pattern::{FoundPattern, FoundPatterns};
use crosstail_engine::window::Range;
use crosstail_source::PageQuery;
use std::sync::Arc;

/// The answer to an action, which `is_answer` picks out of the replies, and how often memory was asked on the way.
async fn answer<T>(driven: &mut Driven, action: Action, is_answer: impl Fn(&Reply) -> Option<T>) -> (T, usize) {
    driven.act(action);
    let mut asked = 0;
    loop {
        let (ticket, reply) = driven.next_reply().await;
        let answer = is_answer(&reply);
        asked += usize::from(matches!(reply, Reply::Held(_)));
        driven.event(Event::Reply(ticket, reply));
        if let Some(answer) = answer {
            return (answer, asked);
        }
    }
}

/// Failures and patterns of what memory holds are those that the stores would give.
#[tokio::test(flavor = "multi_thread")]
async fn what_memory_holds_is_not_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("held.sqlite");
    random_database(&path, 5, 20_000).await;
    let now = EPOCH.plus_ms(20_010_000);
    for (memory, filter) in [(256 << 20, ""), (256 << 20, "system:SAP OR actor:ann"), (1 << 20, "")] {
        let mut driven = Driven::start(&path, now, Range::Everything, memory);
        driven.idle().await;
        driven.event(Event::Filter(filter.to_owned()));
        driven.idle().await;
        let holds = memory > 1 << 20;
        assert_eq!(driven.explorer.shared.view_range().is_held, holds, "{memory} bytes");
        let (names, context) =
            (driven.explorer.shared.store.names().clone(), Context { now, zone: chrono_tz::Tz::UTC });
        let sources = [(SourceId(0), Arc::clone(&driven.source))];
        let query = PageQuery { filter: Filter::parse(filter).expect("a filter"), context, ..PageQuery::all(0) };
        let work = Work::command("test");
        let (found, asked) = answer(&mut driven, Action::PATTERNS, |reply| match reply {
            Reply::Patterns(found) => Some(found.as_ref().expect("patterns").clone()),
            _ => None,
        })
        .await;
        let expected = patterns(&sources, &work, &names, query.clone(), Sampling::USUAL, None).await.expect("patterns");
        assert!(!expected.patterns.is_empty() && found.without_text == expected.without_text);
        assert_eq!((found.span, found.sampled), (expected.span, None));
        let of = |one: &FoundPattern| {
            let tally = &one.tally;
            let (times, trend) = ((tally.first, tally.last), tally.trend.clone());
            (one.pattern.clone(), one.by_id, tally.count, tally.failed, times, trend, tally.example.id.clone())
        };
        let all = |found: &FoundPatterns| found.patterns.iter().map(of).collect::<Vec<_>>();
        assert_eq!(all(&found), all(&expected), "'{filter}'");
        assert_eq!(asked > 1, holds, "page by page, or not at all: {asked}");
        let (found, asked) = answer(&mut driven, Action::FAILURES, |reply| match reply {
            Reply::FailureGroups(found) => Some(found.as_ref().expect("groups").clone()),
            _ => None,
        })
        .await;
        let expected = failures(&sources, &work, &names, query, &Recall::default(), None).await.expect("groups");
        assert!(!expected.groups.is_empty());
        // Random requests share traces by chance: what became of them depends on which are looked at together.
        let of = |one: &FailureGroup| {
            let FailureGroup { fingerprint, state, count, last_hour, first, last, began, before, .. } = one.clone();
            let affected = (one.entities, one.organizations, one.trend.clone(), one.example.id.clone());
            (fingerprint, (state, count, last_hour), (first, last, began, before), affected)
        };
        let all = |found: &FoundFailures| found.groups.iter().map(of).collect::<Vec<_>>();
        assert_eq!(all(&found), all(&expected), "'{filter}'");
        assert_eq!((found.count, found.span), (expected.count, expected.span));
        assert_eq!(asked > 1, holds, "page by page, or not at all: {asked}");
    }
}

/// Failures that are looked at are grouped above the list, without a question to the store.
#[tokio::test(flavor = "multi_thread")]
async fn failures_that_are_looked_at_stand_in_groups_above_the_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("groups.sqlite");
    random_database(&path, 5, 2_000).await;
    let now = EPOCH.plus_ms(2_010_000);
    let mut driven = Driven::start(&path, now, Range::Everything, 256 << 20);
    driven.event(Event::Resize(120, 40));
    driven.idle().await;
    assert!(!drawn(&driven.explorer).contains("hides them"), "of everything, none");
    driven.event(Event::Filter("status:failed".to_owned()));
    driven.until("groups", |explorer| drawn(explorer).contains("hides them")).await;
    let context = Context { now, zone: chrono_tz::Tz::UTC };
    let query = PageQuery { filter: Filter::parse("status:failed").expect("a filter"), context, ..PageQuery::all(0) };
    let names = driven.explorer.shared.store.names().clone();
    let sources = [(SourceId(0), Arc::clone(&driven.source))];
    let expected =
        failures(&sources, &Work::command("test"), &names, query, &Recall::default(), None).await.expect("groups");
    let most = expected.groups.iter().map(|group| group.count).max().expect("groups");
    let picture = drawn(&driven.explorer);
    let lines: Vec<&str> = picture.lines().collect();
    let below = lines.iter().position(|line| line.contains("hides them")).expect("the line below");
    assert!(lines[below].contains(&format!("{} groups", count(expected.groups.len()))), "{picture}");
    let first = lines[below - expected.groups.len().min(3)];
    assert!(first.trim_start().starts_with(&count(usize::try_from(most).expect("a few"))), "{picture}");
    // Esc hides them as long as this is looked at; the filter stays.
    driven.act(Action::BACK);
    for _ in 0..3 {
        driven.event(Event::Tick(now));
    }
    let picture = drawn(&driven.explorer);
    assert!(!picture.contains("hides them") && picture.contains("status:failed"), "{picture}");
    driven.event(Event::Filter("is:failure".to_owned()));
    driven.until("groups again", |explorer| drawn(explorer).contains("hides them")).await;
    // What is opened has their room, and so has the list of a small terminal.
    driven.event(Event::Resize(80, 24));
    driven.event(Event::Tick(now));
    assert!(!drawn(&driven.explorer).contains("hides them"), "{}", drawn(&driven.explorer));
}

//! Pictures of the screens, text and style, of the same activities at the same moment.

use crate::support::EPOCH;
use crosstail::action::Action;
use crosstail::effect::{
    CompareWith, Effect, Instead, PathSample, Placed, PreparedPayload, Reply, ReportRange, SearchProgress, Sendable,
    Sent, ValuesOf,
};
use crosstail::log::LogLine;
use crosstail::screens::{AlertOrigin, Event, Explore, Explorer, Focus, Offer, Picture, Tab, draw};
use crosstail::tui::contrast::{contrast, rgb};
use crosstail::tui::{Appearance, ColourDepth, Gesture, Keymap, Stroke, Theme};
use crosstail_core::filter::{Context, Field, Filter, NamedRecord, Operand, Truth};
use crosstail_core::model::{
    Activity, Body, Direction, Id, Kind, Level, Locator, Names, Payload, Place, RawRecord, SourceId, Status,
};
use crosstail_core::model::{Check, HealthState, Metric, MetricKind, Vitals};
use crosstail_engine::change::{FoundChanges, Measure, Shift, Window};
use crosstail_engine::failure::{Failures, FoundFailures, Span};
use crosstail_engine::fields::PathCounts;
use crosstail_engine::insight::{Held, Resend, SendSecrets, SetContrast, SetCounts, Side, Tool, compare, jq};
use crosstail_engine::pattern::{FoundPatterns, GapCounts, PatternCounts};
use crosstail_engine::store::LastAttempt;
use crosstail_engine::window::Range;
use crosstail_source::alert::AlertStatus;
use crosstail_source::pump::{PumpEvent, SourceState};
use crosstail_source::{Job, Priority, Probe, TableOffer};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use serde_json::json;
use std::sync::Arc;

const CORRELATION: &str = "7f3a9c21-aaaa-4abc-8def-0123456789ab";

fn call(n: u64, system: &str, seconds: i64, status: Status, http: Option<u16>, ms: u64) -> Activity {
    let mut a = Activity::new(
        Id::Uuid(0x7f3a_0000_0000_4000_8000_0000_0000_0000 + u128::from(n)),
        EPOCH.plus_ms(seconds * 1000 + n as i64),
    );
    a.kind = Kind::ApiCall;
    a.direction = Direction::Out;
    a.status = Some(status);
    a.system = Some(system.into());
    a.method = Some("POST".into());
    a.endpoint = Some("/po/create".into());
    a.url = Some(compact_str::format_compact!("https://{}.example/po/create", system.to_lowercase()));
    a.http_status = http;
    a.duration_us = status.is_finished().then_some(ms * 1000);
    a.completed_at = status.is_finished().then(|| a.started_at.plus_ms(ms as i64));
    a.request_id = Some(a.id.clone());
    a.error = status.is_failure().then(|| "Service Unavailable".into());
    a
}

fn activities(names: &Names) -> Vec<Activity> {
    let source = names.add_source("demo");
    let mut all: Vec<Activity> = (0..40)
        .map(|n| {
            call(n, ["Zoho", "Apollo", "Slack"][n as usize % 3], n as i64 * 30, Status::Success, Some(200), 40 + n * 7)
        })
        .collect();
    for attempt in 1..=2u64 {
        let mut a = call(100 + attempt, "SAP", 1200 + attempt as i64 * 22, Status::Failed, Some(503), 2500);
        a.attempt = Some(attempt as u16);
        a.max_attempts = Some(3);
        a.entity = Some("PO PO-4711".into());
        a.operation = Some("CREATE".into());
        a.actor = Some("SCHEDULER".into());
        a.correlation_id = Some(CORRELATION.into());
        a.parent_request_id =
            (attempt == 2).then(|| Id::Uuid(0x7f3a_0000_0000_4000_8000_0000_0000_0000 + 101).to_string().into());
        a.next_retry_at = Some(a.started_at.plus_ms(if attempt == 1 { 22_500 } else { 60_000 }));
        all.push(a);
    }
    let mut hook = call(98, "Golioth", 1219, Status::Success, Some(200), 41);
    hook.kind = Kind::Webhook;
    hook.direction = Direction::In;
    hook.operation = Some("device.update".into());
    hook.correlation_id = Some(CORRELATION.into());
    all.push(hook);
    let mut line = Activity::new(Id::Uuid(99), EPOCH.plus_ms(1_246_000));
    line.kind = Kind::Log;
    line.level = Some(Level::Warn);
    line.system = Some("auth".into());
    line.message = Some("token refresh slow, \u{1b}[31m漢字 and more".into());
    line.correlation_id = Some(CORRELATION.into());
    all.push(line);
    all.push(call(110, "Tally", 1247, Status::InProgress, None, 0));
    all.push(call(111, "Tally", 1248, Status::Timeout, None, 30_000));
    for activity in &mut all {
        activity.places = vec![Place::new(source, Locator::Key(activity.id.to_string().into()))];
    }
    all
}

fn payload() -> Payload {
    let mut payload = Payload::default();
    payload.request.headers = Some(json!({"Authorization": "Bearer abcdefghijkl", "Content-Type": "application/json"}));
    payload.request.body =
        Some(Body::from_value(json!({"PurchaseOrder": {"VendorCode": "V-77", "Items": [{"sku": "MAT-1", "qty": 4}]}})));
    payload.response.body = Some(Body::from_value(json!({"error": {"code": "ServiceUnavailable"}})));
    payload.error.stack = Some("Error: Service Unavailable\n    at request (/app/src/http.ts:40:7)\n    at run (/app/node_modules/bull/worker.js:5:1)".to_owned());
    payload.metadata.insert("tenant".to_owned(), json!("org-3"));
    payload.raw.push(RawRecord::new("demo".to_owned(), "{\"a\":1}"));
    payload
}

/// What each try sent and got.
fn payload_of(a: &Activity) -> Payload {
    let mut payload = payload();
    let code = a.http_status.unwrap_or(0).to_string();
    let wait = if a.attempt == Some(1) { "20" } else { "60" };
    payload.response.headers = Some(json!({"Retry-After": wait, "Date": code, "X-Request-Id": a.id.to_string()}));
    if !a.is_failure() {
        payload.error = crosstail_core::model::ErrorDetail::default();
        payload.response.body = Some(Body::from_value(json!({"po_number": "4500012345"})));
        let order = json!({"PurchaseOrder": {"VendorCode": "V-12", "Items": [{"sku": "MAT-1", "qty": 4}]}});
        payload.request.body = Some(Body::from_value(order));
    }
    payload
}

/// Two changes of SAP.
fn changes(by: &[Field]) -> FoundChanges {
    let window = Window::of(EPOCH, EPOCH.plus_ms(1_260_000), 240);
    let shift = |measure, minutes: i64, before, after| {
        let at = EPOCH.plus_ms(minutes * 60_000);
        let group = ["SAP", "/sap/po/create"].map(|value| Some(value.to_owned()))[..by.len()].to_vec();
        Shift { group, measure, at, before, after, within_us: window.bucket_us, marker: None }
    };
    let shifts = vec![shift(Measure::Failures, 19, 0.012, 0.61), shift(Measure::Latency, 20, 412.0, 2510.0)];
    let shortest_us = 9 * window.bucket_us;
    FoundChanges { window, shifts, begins: false, ends: false, shortest_us, problem: None }
}

/// An explorer with activities, at a moment, and what its keys mean.
pub struct Stage {
    pub explorer: Explorer,
    pub look: Appearance,
    payload: Payload,
}

impl Stage {
    pub fn new(width: u16, height: u16, theme: &str) -> Self {
        let names = Names::default();
        let all = activities(&names);
        let source = crosstail_core::model::SourceId(0);
        let mut explorer = Explorer::new(names, &[source], chrono_tz::Tz::UTC, EPOCH.plus_ms(1_260_000));
        explorer.shared.settings.views = vec![crosstail::config::ViewEntry {
            name: "failures".to_owned(),
            filter: "is:failure".to_owned(),
            ..Default::default()
        }];
        explorer.shared.settings.tools = vec![
            Tool::link("trace", "corr:*", "https://traces.example/{corr}").expect("a link"),
            Tool::link("vendor", "", "https://erp.example/v/{req.body.PurchaseOrder.VendorCode}").expect("a link"),
            Tool::command("logs", "", &["kubectl".to_owned(), "logs".to_owned(), "--selector=app={system}".to_owned()])
                .expect("a command"),
        ];
        explorer.shared.settings.may_send = true;
        explorer.shared.settings.themes = vec!["dark".to_owned(), "light".to_owned()];
        let probe = Probe { server: "SQLite 3".to_owned(), schema: "crosstail".to_owned(), ..Probe::default() };
        let mut stage = Self {
            explorer,
            look: Appearance {
                theme: Theme::load(theme, ColourDepth::True).expect("theme"),
                keymap: Keymap::load(crosstail::screens::vocabulary()).expect("keys"),
            },
            payload: payload(),
        };
        stage.event(Event::Resize(width, height));
        stage.event(Event::Pump(PumpEvent::Probed(source, probe)));
        stage.event(Event::Pump(PumpEvent::Batch { source, items: all, live: false }));
        stage.event(Event::Pump(PumpEvent::State(source, SourceState::Live)));
        stage.explorer.count(true);
        stage
    }

    pub fn event(&mut self, event: Event) -> Vec<Effect> {
        self.explorer.update(event)
    }

    pub fn explore(&self) -> &Explore {
        &self.explorer.stack.explore
    }

    /// Presses keys, by their names in a keymap.
    pub fn press(&mut self, keys: &[&str]) {
        for key in keys {
            let stroke = Stroke::named(key).expect("a key");
            let effects = self.explorer.press(&self.look, stroke);
            self.carry_out(effects);
        }
    }

    /// What a key asks of the runtime.
    pub fn press_for_effects(&mut self, key: &str) -> Vec<Effect> {
        self.explorer.press(&self.look, Stroke::named(key).expect("a key"))
    }

    /// Replaces the text of the field that has the keys, and leaves the cursor so many characters before its end.
    pub fn write(&mut self, text: &str, before_end: usize) {
        self.press(&["ctrl-u"]);
        self.event(Event::Pasted(text.to_owned()));
        self.press(&vec!["left"; before_end]);
    }

    /// Puts the cursor on a line.
    fn go_to(&mut self, line: usize) {
        self.act(&[Action::TOP]);
        self.act(&vec![Action::DOWN; line]);
    }

    pub fn act(&mut self, actions: &[Action]) {
        for action in actions {
            let effects = self.event(Event::Action(*action));
            self.carry_out(effects);
        }
    }

    /// The groups of all failures. What the first of them says was said a week before, too.
    fn failures(&self) -> FoundFailures {
        let shared = &self.explorer.shared;
        let span = Span::of(Some(EPOCH), shared.now);
        let mut all = Failures::new(span);
        let store = &shared.store;
        let failed: Vec<Activity> =
            store.all_rows().iter().filter(|row| store.is_failure(**row)).map(|row| store.get(*row)).collect();
        let mut before = failed[0].clone();
        before.started_at = EPOCH.plus_ms(-7 * 86_400_000);
        all.add_before(&before);
        let (count, ends) = (failed.len() as u64, (failed[0].started_at, failed[failed.len() - 1].started_at));
        for one in failed {
            all.add(one);
        }
        FoundFailures {
            groups: all.settle(),
            count,
            span: Some(ends),
            known_from: span.known_from(),
            begins: None,
            fresh: span.fresh,
            is_growing: false,
            problem: None,
        }
    }

    /// Tables of the database, by how well they fit.
    fn tables(&self) -> Vec<(SourceId, Result<Vec<TableOffer>, String>)> {
        let offer = |name: &str, rows, fit: u32| TableOffer {
            name: name.to_owned(),
            rows,
            fit,
            is_likely: fit >= 5,
            taken: "started_at = created_at, status = state".to_owned(),
        };
        vec![(
            self.explorer.shared.sources[0].id,
            Ok(vec![offer("api_calls", Some(120_000), 14), offer("customers", None, 3)]),
        )]
    }

    fn all(&self) -> Vec<Activity> {
        let store = &self.explorer.shared.store;
        store.all_rows().iter().map(|row| store.get(*row)).collect()
    }

    /// The patterns of everything, and of some lines beside.
    fn patterns(&self) -> FoundPatterns {
        let mut counts = PatternCounts::default();
        for one in self.all() {
            counts.add(one);
        }
        counts.settle()
    }

    /// The activities of both sets, as the runtime reads them.
    fn compared(&self, sets: &[ReportRange; 2]) -> SetContrast {
        let (names, mut counts) = (Names::default(), SetCounts::default());
        let context = Context { now: EPOCH, zone: chrono_tz::Tz::UTC };
        for (side, set) in Side::BOTH.into_iter().zip(sets) {
            let predicate = Filter::parse(&set.filter).expect("a filter").predicate(&context);
            for activity in self.all() {
                let record = NamedRecord { activity: &activity, names: &names, payload: None };
                let within = set.bounds.interval();
                if (within.from..within.to).contains(&activity.started_at) && predicate.test(&record) == Truth::Yes {
                    counts.add(side, activity, &names);
                }
            }
            for activity in counts.take_sample(side) {
                counts.add_payload(side, &activity, &self.payload, &names);
            }
        }
        counts.settle()
    }

    /// Answers what is asked of the stores.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let (ticket, reply) = match effect {
                Effect::LoadPayload(ticket, ..) => {
                    (ticket, Reply::Payload(Ok(Arc::new(PreparedPayload::new(self.payload.clone())))))
                }
                Effect::LoadRelated(ticket, _) => {
                    (ticket, Reply::Related { activities: Vec::new(), is_partial: false })
                }
                Effect::Compare(ticket, pair) => {
                    let CompareWith::Known(right) = pair.right else {
                        panic!("nothing in memory to compare with: {pair:?}");
                    };
                    let found = compare((&pair.left, &payload_of(&pair.left)), (&right, &payload_of(&right)));
                    (ticket, Reply::Compared(Ok(Box::new((*right, found)))))
                }
                Effect::FindChanges(ticket, _, by, _) => (ticket, Reply::Changes(Ok(Box::new(changes(&by))))),
                Effect::CompareSets(ticket, sets) => (ticket, Reply::SetsCompared(Ok(Box::new(self.compared(&sets))))),
                Effect::FindPatterns(ticket, _) => (ticket, Reply::Patterns(Ok(Box::new(self.patterns())))),
                Effect::FindValues(ticket, _, template) => {
                    let mut counts = GapCounts::new(&template);
                    for one in self.all() {
                        counts.add(&one);
                    }
                    (ticket, Reply::GapValues(Ok(counts.settle())))
                }
                Effect::GroupFailures(ticket, _) => (ticket, Reply::FailureGroups(Ok(Box::new(self.failures())))),
                Effect::LoadValues(ticket, asked) => {
                    let names = Names::default();
                    let of = |one: &Placed| {
                        let activity = Activity::new(one.id.clone(), EPOCH);
                        let value = |path: &Operand| path.values(&activity, &names, Some(&self.payload));
                        ValuesOf { id: one.id.clone(), values: Ok(asked.paths.iter().map(value).collect()) }
                    };
                    (ticket, Reply::PathValues(asked.of.iter().map(of).collect()))
                }
                Effect::SamplePaths(ticket, of) => {
                    let mut counts = PathCounts::default();
                    for _ in &of {
                        counts.add(&self.payload);
                    }
                    (ticket, Reply::Paths(Box::new(PathSample { found: counts.settle(), problem: None })))
                }
                Effect::PrepareSend(ticket, activities) => {
                    let secrets = SendSecrets {
                        host: "sap.example".to_owned(),
                        headers: vec![("Authorization".to_owned(), "SAP_TOKEN".to_owned())],
                    };
                    let request = |last: LastAttempt| {
                        let request = Resend::of(&last.activity, &self.payload, std::slice::from_ref(&secrets), None);
                        Sendable { held: Held::of(last.outcome, last.activity.status), request, last }
                    };
                    let store = &self.explorer.shared.store;
                    let rows: Vec<_> = activities.iter().filter_map(|one| store.find(&one.id)).collect();
                    let all = store.last_attempts(&rows).into_iter().map(request).collect();
                    (ticket, Reply::Sendable(all))
                }
                Effect::Jq(ticket, expression, text) => (ticket, Reply::Jq(jq(&expression, &text))),
                Effect::ListTables(ticket) => (ticket, Reply::Tables(self.tables())),
                Effect::Find(ticket, _) => {
                    let found = self.all().into_iter().filter(|one| one.entity.is_some()).collect();
                    let source = self.explorer.shared.sources[0].id;
                    (
                        ticket,
                        Reply::SearchProgress(
                            source,
                            SearchProgress::Found { what: "a text anywhere", count: 2, ms: 41, has_more: false },
                            found,
                        ),
                    )
                }
                _ => continue,
            };
            let effects = self.event(Event::Reply(ticket, reply));
            self.carry_out(effects);
        }
    }

    /// Text, and under it the styles: a letter for each place, and what the letters mean.
    /// The place of a text in the picture; `nth` from 0.
    pub fn place_of(&self, text: &str, nth: usize) -> (u16, u16) {
        let Picture { buffer, .. } = draw(&self.explorer, &self.look);
        let mut found = Vec::new();
        for y in 0..buffer.area.height {
            let symbols: Vec<&str> = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            for x in 0..symbols.len() {
                if symbols[x..].concat().starts_with(text) {
                    found.push((x as u16, y));
                }
            }
        }
        *found.get(nth).unwrap_or_else(|| panic!("'{text}' in\n{}", self.picture()))
    }

    /// The mouse does something, and what follows is done.
    pub fn mouse(&mut self, gesture: Gesture, x: u16, y: u16) {
        let Picture { spots, .. } = draw(&self.explorer, &self.look);
        if let Some(pointed) = spots.at(x, y) {
            let effects = self.event(Event::Pointed(gesture, pointed));
            self.carry_out(effects);
        }
    }

    pub fn picture(&self) -> String {
        let Picture { buffer, cursor, .. } = draw(&self.explorer, &self.look);
        dump(&buffer, cursor)
    }
}

fn dump(buffer: &Buffer, cursor: Option<(u16, u16)>) -> String {
    let mut styles: Vec<(Color, Color, Modifier)> = vec![(Color::Reset, Color::Reset, Modifier::empty())];
    let (mut text, mut letters) = (String::new(), String::new());
    for y in 0..buffer.area.height {
        let mut skip = 0;
        let mut line = String::new();
        for x in 0..buffer.area.width {
            let cell = buffer.cell((x, y)).expect("inside");
            let style = (cell.fg, cell.bg, cell.modifier);
            let blank = cell.symbol() == " " && cell.bg == Color::Reset && cell.modifier.is_empty();
            let at = if blank {
                0
            } else {
                styles.iter().position(|s| *s == style).unwrap_or_else(|| {
                    styles.push(style);
                    styles.len() - 1
                })
            };
            line.push(if at == 0 { '.' } else { char::from(b'a' + at as u8 - 1) });
            if skip == 0 {
                text.push_str(cell.symbol());
                skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
            }
            skip -= 1;
        }
        text = text.trim_end().to_owned() + "\n";
        letters.push_str(line.trim_end_matches('.'));
        letters.push('\n');
    }
    let legend: Vec<String> = styles
        .iter()
        .enumerate()
        .skip(1)
        .map(|(at, (fg, bg, modifier))| format!("{} {fg} on {bg} {modifier:?}", char::from(b'a' + at as u8 - 1)))
        .collect();
    format!("{text}── style\n{letters}{}\ncursor {cursor:?}\n", legend.join("\n"))
}

#[test]
fn the_list_at_160() {
    insta::assert_snapshot!(Stage::new(160, 40, "dark").picture());
}

#[test]
fn the_list_at_80_without_colours() {
    insta::assert_snapshot!(Stage::new(80, 24, "none").picture());
}

#[test]
fn the_list_in_sixteen_colours() {
    insta::assert_snapshot!(Stage::new(100, 20, "ansi").picture());
}

/// Every screen: how it is reached, by its name.
pub const SCREENS: [(&str, &[&str]); 36] = [
    ("list", &[]),
    ("failures", &["1"]),
    ("detail", &["1", "up", "enter"]),
    ("request", &["1", "up", "enter", "2"]),
    ("retries", &["1", "up", "enter", "5"]),
    ("trace", &["1", "up", "enter", "6"]),
    ("health", &["h"]),
    ("system", &["h", "enter"]),
    ("alerts", &["a"]),
    ("failures in groups", &["F"]),
    ("patterns", &["p"]),
    ("changes", &["~"]),
    ("values of a pattern", &["p", "down", "v"]),
    ("affected", &["O"]),
    ("contrast", &["c"]),
    ("two sets", &["=", "s", "t", "a", "t", "u", "s", ":", "s", "u", "c", "c", "e", "s", "s", "enter"]),
    ("after and before a change", &["~", "c"]),
    ("fields", &["C"]),
    ("a column and a facet of a path", &["C", "s", "k", "u", "enter", "tab", "esc"]),
    ("around one", &["1", "up", ".", "."]),
    ("links and commands", &["1", "up", "u"]),
    ("sending again", &["1", "up", "ctrl-s"]),
    ("sources", &["s"]),
    ("jobs", &["L"]),
    ("keys", &["?"]),
    ("help", &["?", "?"]),
    ("filters that were used", &["1", "ctrl-r"]),
    ("a filter with completions", &["/", "s", "y", "s", "t", "e", "m", ":"]),
    ("a filter with a mistake", &["/", "s", "y", "t", "e", "m", ":", "S", "A", "P", "space"]),
    ("finding", &["o", "P", "O", "-", "4", "7", "enter"]),
    ("a note", &["1", "up", "#", "d", "o", "w", "n"]),
    ("facets with the keys", &["tab", "down"]),
    ("histogram with the keys", &["backtab"]),
    ("a range begun", &["backtab", "home", "enter", "right", "right"]),
    ("tables", &["D"]),
    ("palette", &[":"]),
];

/// The stage of an incident, with a screen open.
pub fn staged(size: (u16, u16), theme: &str, keys: &[&str]) -> Stage {
    let mut stage = Stage::new(size.0, size.1, theme);
    alarming(&mut stage);
    // What rules say first leaves before the pictures are taken.
    let now = stage.explorer.shared.now;
    stage.event(Event::Tick(now.plus_ms(7000)));
    stage.press(keys);
    stage
}

#[test]
fn every_screen_at_every_size() {
    for size in [(160, 48), (120, 36), (80, 24), (60, 20)] {
        let mut pictures = String::new();
        for (name, keys) in SCREENS {
            let picture = staged(size, "dark", keys).picture();
            let text = picture.split("── style").next().expect("a text");
            let widest = text.lines().map(unicode_width::UnicodeWidthStr::width).max().unwrap_or(0);
            assert!(widest <= usize::from(size.0), "{name} at {size:?}: {widest}");
            pictures.push_str(&format!("════ {name}\n{text}"));
        }
        insta::assert_snapshot!(format!("every_screen_at_{}", size.0), pictures);
    }
}

/// The page of somebody who has no source yet.
fn first_page(size: (u16, u16), theme: &str) -> Stage {
    let mut stage = Stage::new(size.0, size.1, theme);
    let mut first = Explorer::new(Names::default(), &[], chrono_tz::Tz::UTC, EPOCH);
    first.shared.settings.config_path = Some("/home/anna/.config/crosstail/config.toml".to_owned());
    stage.explorer = first;
    stage.event(Event::Resize(size.0, size.1));
    stage
}

#[test]
fn the_first_page_at_every_size() {
    let offer = |address: &str, named: &str, what: &str| Offer {
        opens: Instead::Source(address.to_owned()),
        named: format!("crosstail {named}"),
        what: what.to_owned(),
    };
    let offers = vec![
        offer("*.log", "'*.log'", "12 log files here"),
        offer("postgres://shop:secret@db/orders", "\"$DATABASE_URL\"", "postgres://shop:[REDACTED]@db/orders"),
        offer("docker:", "docker:", "all running containers of docker"),
        Offer {
            opens: Instead::Demo,
            named: "crosstail demo".to_owned(),
            what: "live simulated traffic, nothing needed".to_owned(),
        },
    ];
    let mut pictures = Vec::new();
    for size in [(160, 48), (120, 36), (80, 24), (60, 20)] {
        let mut stage = first_page(size, "dark");
        pictures.push(stage.picture().split("── style").next().expect("a text").to_owned());
        stage.explorer.shared.settings.offers.clone_from(&offers);
        stage.press(&["down"]);
        pictures.push(stage.picture().split("── style").next().expect("a text").to_owned());
        let opens = stage.press_for_effects("enter");
        assert!(opens.contains(&Effect::ReadInstead(offers[1].opens.clone())), "{opens:?}");
    }
    insta::assert_snapshot!(pictures.join("════\n"));
}

/// A theme says the same as any other on every screen and at every size, in colours that its terminal has.
#[test]
fn every_theme_says_the_same() {
    let of = |stage: &Stage| draw(&stage.explorer, &stage.look).buffer;
    let text = |buffer: &Buffer| buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    let is_named = |colour| !matches!(colour, Color::Rgb(..) | Color::Indexed(_));
    for size in [(160, 48), (120, 36), (80, 24), (60, 20)] {
        let mut signs = String::new();
        for (name, keys) in SCREENS {
            let mut stage = staged(size, "dark", keys);
            let coloured = of(&stage);
            let dark = text(&coloured);
            for theme in ["light", "ansi", "none"] {
                stage.look.theme = Theme::load(theme, ColourDepth::True).expect("theme");
                let buffer = of(&stage);
                // Without colours, signs take their place: the lines that have them.
                if theme == "none" {
                    let lines = |buffer: &Buffer| -> Vec<String> {
                        let lines = buffer.content.chunks(size.0.into());
                        lines.map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
                    };
                    let differing =
                        lines(&buffer).into_iter().zip(lines(&coloured)).filter(|(none, dark)| none != dark);
                    signs.push_str(&format!("════ {name}\n"));
                    differing.for_each(|(none, _)| signs.push_str(&format!("{}\n", none.trim_end())));
                } else {
                    assert_eq!(text(&buffer), dark, "{name} at {size:?} in {theme}");
                }
                let is_allowed = |cell: &ratatui::buffer::Cell| match theme {
                    "none" => cell.fg == Color::Reset && cell.bg == Color::Reset,
                    "ansi" => is_named(cell.fg) && is_named(cell.bg),
                    _ => true,
                };
                let wrong = buffer.content.iter().position(|cell| !is_allowed(cell));
                assert_eq!(wrong.map(|at| buffer.pos_of(at)), None, "{name} at {size:?} in {theme}");
            }
        }
        insta::assert_snapshot!(format!("signs_without_colours_at_{}", size.0), signs);
    }
}

#[test]
fn every_screen_in_every_theme() {
    for theme in ["light", "ansi", "none"] {
        let pictures: String = SCREENS
            .iter()
            .map(|(name, keys)| format!("════ {name}\n{}", staged((100, 30), theme, keys).picture()))
            .collect();
        insta::assert_snapshot!(format!("every_screen_in_{theme}"), pictures);
    }
}

/// What is too near to what is behind it: each text, with its contrast. Lines and bars are no text.
fn unreadable(buffer: &Buffer, own: &Theme, terminal: [[u8; 3]; 2]) -> std::collections::BTreeMap<String, String> {
    let mut found = std::collections::BTreeMap::new();
    for cell in &buffer.content {
        let graphic = |c: char| c == ' ' || ('\u{2500}'..='\u{259f}').contains(&c) || c == '…' || c == '⋯';
        if cell.symbol().chars().all(graphic) {
            continue;
        }
        let (mut fg, mut bg) = (rgb(cell.fg).unwrap_or(terminal[0]), rgb(cell.bg).unwrap_or(terminal[1]));
        if cell.modifier.contains(Modifier::REVERSED) {
            std::mem::swap(&mut fg, &mut bg);
        }
        let is_plain = own.text.fg.is_some_and(|text| text == cell.fg) && cell.bg == Color::Reset;
        let ratio = contrast(fg, bg);
        if ratio < if is_plain { 4.5 } else { 3.0 } {
            let colours = format!("{} on {} {:?}", cell.fg, cell.bg, cell.modifier);
            let texts: &mut String = found.entry(format!("{colours}: {ratio:.1}")).or_default();
            texts.push_str(cell.symbol());
        }
    }
    found
}

#[test]
fn every_theme_is_read_in_every_depth_and_on_the_selected_line() {
    let (dark, light) = ([[204; 3], [22; 3]], [[0; 3], [255; 3]]);
    let themes = [
        ("dark", dark),
        ("light", light),
        ("contrast", [[255; 3], [0; 3]]),
        ("colourblind", dark),
        ("ansi", [[170; 3], [0; 3]]),
        ("ansi-light", light),
    ];
    // With a failure selected in the list, and with the keys in a detail beside it.
    let selected: &[&str] = &["up", "up", "E"];
    for (screen, keys) in SCREENS.iter().copied().chain([("selected", selected)]) {
        let mut stage = staged((160, 48), "dark", keys);
        for (name, terminal) in themes {
            for depth in [ColourDepth::True, ColourDepth::Indexed, ColourDepth::Ansi] {
                let theme = Theme::load(name, depth).expect("a theme");
                stage.look.theme = theme;
                let Picture { buffer, .. } = draw(&stage.explorer, &stage.look);
                let wrong = unreadable(&buffer, &theme, terminal);
                assert!(wrong.is_empty(), "{screen} in {name}, {depth:?}: {wrong:#?}");
            }
        }
    }
}

#[test]
fn the_first_line_always_has_the_range_and_the_alerts() {
    for columns in [160, 120, 100, 80, 60] {
        let stage = staged((columns, 24), "dark", &[]);
        let picture = stage.picture();
        let first = picture.lines().next().expect("a line");
        assert!(first.contains('‹') && first.contains('⚑'), "at {columns}: {first}");
    }
}

#[test]
fn a_key_of_several_says_what_may_follow() {
    let mut stage = Stage::new(120, 24, "dark");
    stage.press(&["y"]);
    let picture = stage.picture();
    assert!(picture.contains("y record") && picture.contains("i id") && picture.contains("c curl"), "{picture}");
    stage.press(&["i"]);
    let picture = stage.picture();
    assert!(picture.contains("copied the id") && !picture.contains("y record"), "{picture}");
    // What has no room says so, whichever way it is turned.
    let mut narrow = Stage::new(80, 24, "dark");
    narrow.press(&["b"]);
    assert!(narrow.picture().contains("facets off; there is no room"), "{}", narrow.picture());
}

#[test]
fn requests_are_sent_again_once_their_number_is_typed() {
    let mut stage = Stage::new(120, 30, "dark");
    stage.press(&["1", "up", "ctrl-s"]);
    // It is to be tried again: somebody has to insist.
    assert!(stage.picture().contains("nothing is sent yet · 0 to send · 1 left out"), "{}", stage.picture());
    assert!(stage.picture().contains("left out: its next try is due"), "{}", stage.picture());
    stage.press(&["enter"]);
    assert!(stage.picture().contains("all are left out"), "{}", stage.picture());
    stage.press(&["a"]);
    assert!(stage.picture().contains("nothing is sent yet · 1 to send"), "{}", stage.picture());
    assert!(stage.picture().contains("Authorization: $SAP_TOKEN"), "{}", stage.picture());
    // A changed body.
    stage.press(&["e"]);
    stage.event(Event::Pasted("{\"a\": 1} ".to_owned()));
    stage.press(&["esc"]);
    assert!(stage.picture().contains('✎'), "{}", stage.picture());
    // A wrong number sends nothing, and is asked for again.
    stage.press(&["enter", "2"]);
    assert_eq!(stage.press_for_effects("enter"), []);
    assert!(stage.picture().contains("type 1 to send 1 request to"), "{}", stage.picture());
    assert!(stage.picture().contains("that is not 1; nothing was sent yet"), "{}", stage.picture());
    stage.press(&["1"]);
    let effects = stage.press_for_effects("enter");
    let [Effect::Send(ticket, plan)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((plan.requests.len(), plan.stops, plan.rate), (1, true, 1.0));
    assert!(
        plan.requests[0].is_edited
            && plan.requests[0].body.as_deref().is_some_and(|body| body.starts_with("{\"a\": 1}{"))
    );
    let (ticket, of) = (*ticket, plan.requests[0].of.clone());
    let sent = Sent { of, request_id: "new-1".to_owned(), status: Some(201), took_ms: 12, said: String::new() };
    stage.event(Event::Reply(ticket, Reply::Sent(sent)));
    stage.event(Event::Reply(ticket, Reply::SendingEnded(Ok(()))));
    assert!(
        stage.picture().contains("1 of 1 sent, 0 failed") && stage.picture().contains("→ 201 12 ms"),
        "{}",
        stage.picture()
    );
    // The new activity is looked for.
    let effects = stage.press_for_effects("enter");
    assert!(matches!(effects.as_slice(), [Effect::Find(_, text)] if text == "new-1"), "{effects:?}");
    // Without the option, nothing is even prepared.
    let mut stage = Stage::new(120, 30, "dark");
    stage.explorer.shared.settings.may_send = false;
    stage.press(&["1", "up"]);
    assert_eq!(stage.press_for_effects("ctrl-s"), []);
    assert_eq!(stage.explorer.stack.name(), "activity");
    assert!(stage.picture().contains("--allow-sends"), "{}", stage.picture());
}

#[test]
fn the_filter_with_completions_and_with_a_mistake() {
    let mut stage = Stage::new(120, 24, "dark");
    stage.act(&[Action::FILTER]);
    stage.write("system:", 0);
    let offered = stage.picture();
    stage.write("sytem:SAP status:failed", 14);
    insta::assert_snapshot!(format!("{offered}\n════\n{}", stage.picture()));
}

#[test]
fn the_detail_and_its_tabs() {
    let mut stage = Stage::new(160, 30, "dark");
    stage.act(&[Action::PREVIOUS_FAILURE, Action::PREVIOUS_FAILURE, Action::OPEN]);
    let mut pictures = vec![stage.picture()];
    for tab in [Action::VIEW_2, Action::VIEW_4, Action::RETRIES, Action::TRACE, Action::VIEW_7] {
        stage.act(&[tab]);
        pictures.push(stage.picture());
    }
    insta::assert_snapshot!(pictures.join("\n════\n"));
}

/// Purchase orders that succeeded before, and a synchronisation that is still running.
fn history(stage: &mut Stage) {
    let source = crosstail_core::model::SourceId(0);
    let mut items = vec![call(60, "SAP", 900, Status::Success, Some(201), 1100)];
    for n in 0..6 {
        items.push(call(61 + n, "SAP", 910 + n as i64, Status::Success, Some(201), 1000 + n * 100));
    }
    let mut sync = call(97, "orders-sync", 1218, Status::InProgress, None, 0);
    sync.kind = Kind::Sync;
    sync.direction = Direction::Internal;
    (sync.method, sync.endpoint, sync.url) = (None, None, None);
    sync.operation = Some("sync_export".into());
    sync.correlation_id = Some(CORRELATION.into());
    items.push(sync);
    for activity in &mut items {
        activity.places = vec![Place::new(source, Locator::Key(activity.id.to_string().into()))];
    }
    stage.event(Event::Pump(PumpEvent::Batch { source, items, live: false }));
}

#[test]
fn tries_comparison_and_trace_at_160_and_80() {
    for (width, height) in [(160, 34), (80, 24)] {
        let mut stage = Stage::new(width, height, "dark");
        stage.payload.response.headers = Some(json!({"Retry-After": "20", "X-RateLimit-Remaining": "0"}));
        history(&mut stage);
        stage.act(&[Action::TOP, Action::NEXT_FAILURE, Action::OPEN, Action::RETRIES, Action::DOWN]);
        let mut pictures = vec![stage.picture()];
        stage.act(&[Action::COMPARE]);
        pictures.push(stage.picture());
        stage.act(&[Action::VIEW_1, Action::COMPARE]);
        pictures.push(stage.picture());
        stage.act(&[Action::TRACE]);
        pictures.push(stage.picture());
        stage.act(&[Action::VIEW_3]);
        pictures.push(stage.picture());
        insta::assert_snapshot!(format!("tries_comparison_and_trace_at_{width}"), pictures.join("\n════\n"));
    }
}

#[test]
fn bodies_of_every_form() {
    let xml = r#"<?xml version="1.0"?><soap:Envelope><soap:Body><Fault code="7"><Reason>no &amp; never</Reason><password>hunter2</password></Fault></soap:Body></soap:Envelope>"#;
    let kept = r#"{"items": [{"sku": "MAT-1"}, {"sku": "MA"#;
    let mark = json!({"original_bytes": 3_200_000, "stored_bytes": 40, "reference": "s3://payloads/7f3a/response"});
    let cut = json!({"_truncated": mark, "preview": kept}).to_string();
    let event = r#"{"order": {"id": "PO-4711", "token": "secret-1"}}"#;
    let nested = json!({"event": event, "note": "long ".repeat(40)}).to_string();
    let multipart = [
        "--xyz",
        "Content-Disposition: form-data; name=\"order\"",
        "",
        "PO-4711",
        "--xyz",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"",
        "Content-Type: text/csv",
        "",
        "a,b",
        "1,2",
        "--xyz--",
        "",
    ];
    let form = "grant_type=client_credentials&client_secret=hunter2&scope=orders";
    let plain = "plain \u{1b}[31m text\nof two lines, password=hunter2";
    let mut pictures = Vec::new();
    for body in [xml, &cut, &nested, &multipart.join("\r\n"), form, plain] {
        let mut stage = Stage::new(100, 24, "dark");
        stage.payload.response.body = Some(Body::from_text(body));
        stage.act(&[Action::PREVIOUS_FAILURE, Action::PREVIOUS_FAILURE, Action::OPEN, Action::VIEW_3]);
        if body == nested {
            stage.act(&[Action::DOWN, Action::DOWN, Action::OPEN, Action::UP, Action::OPEN]);
        }
        pictures.push(stage.picture());
    }
    let all = pictures.join("\n════\n");
    assert!(!all.contains("hunter2") && !all.contains("secret-1"), "secrets stay hidden");
    insta::assert_snapshot!(all);
}

#[test]
fn an_expression_a_search_and_a_reveal() {
    let mut stage = Stage::new(120, 44, "dark");
    stage.act(&[Action::PREVIOUS_FAILURE, Action::PREVIOUS_FAILURE, Action::OPEN, Action::VIEW_2, Action::JQ]);
    stage.write(".PurchaseOrder.Items[].sku", 0);
    let asked = stage.picture();
    stage.act(&[Action::OPEN]);
    let answered = stage.picture();
    stage.act(&[Action::JQ]);
    stage.write(".PurchaseOrder[", 0);
    stage.act(&[Action::OPEN]);
    let wrong = stage.picture();
    assert!(wrong.contains("expected"), "{wrong}");
    stage.act(&[Action::BACK, Action::FILTER]);
    stage.write("mat-1", 0);
    let found = stage.picture();
    assert!(found.contains("1 found") && found.contains("sku"), "a search opens what is folded: {found}");
    stage.act(&[Action::OPEN, Action::TOP, Action::FILTER]);
    stage.write("authorization", 0);
    stage.act(&[Action::OPEN]);
    assert!(!stage.picture().contains("abcdefghijkl"));
    stage.act(&[Action::REVEAL]);
    assert!(stage.picture().contains("abcdefghijkl"), "revealed on purpose");
    stage.act(&[Action::REVEAL]);
    assert!(!stage.picture().contains("abcdefghijkl"));
    insta::assert_snapshot!(format!("{asked}\n════\n{answered}\n════\n{found}"));
}

#[test]
fn what_tells_failures_from_the_rest() {
    let source = crosstail_core::model::SourceId(0);
    for (width, height) in [(160, 24), (80, 24)] {
        let mut stage = Stage::new(width, height, "dark");
        let one = |n: u64| {
            let failed = n % 10 == 3 || n % 10 == 6;
            let status = if failed { Status::Failed } else { Status::Success };
            let system = if failed { "SAP" } else { "Zoho" };
            let mut a = call(1000 + n, system, 10 + n as i64, status, Some(if failed { 503 } else { 200 }), 90 + n);
            let tenant = if failed && !n.is_multiple_of(3) { 7 } else { n % 5 };
            a.organization = Some(compact_str::format_compact!("org-{tenant}"));
            a.error_type = failed.then(|| "ServiceUnavailable".into());
            a.places = vec![Place::new(source, Locator::Row(n as i64))];
            a
        };
        let items = (0..400).map(one).collect();
        stage.event(Event::Pump(PumpEvent::Batch { source, items, live: false }));
        stage.act(&[Action::COMPARE]);
        insta::assert_snapshot!(format!("what_tells_failures_at_{width}"), stage.picture());
        stage.act(&[Action::OPEN]);
        assert!(!stage.explorer.shared.filter.text().is_empty(), "Enter narrows");
        stage.act(&[Action::VIEW_BACK, Action::COMPARE, Action::DOWN, Action::EXCLUDE]);
        assert!(stage.explorer.shared.filter.text().starts_with('-'), "{}", stage.explorer.shared.filter.text());
    }
}

#[test]
fn finding_shows_each_source_and_opens_what_is_meant() {
    let mut stage = Stage::new(120, 30, "dark");
    stage.press(&["o"]);
    stage.event(Event::Pasted("PO-4711".to_owned()));
    let offered = stage.picture();
    let effects = stage.event(Event::Action(Action::OPEN));
    let [Effect::Find(ticket, text)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(text, "PO-4711");
    let source = crosstail_core::model::SourceId(0);
    let looking = Reply::SearchProgress(source, SearchProgress::Running("a text anywhere"), Vec::new());
    stage.event(Event::Reply(*ticket, looking));
    let waiting = stage.picture();
    let all = stage.explorer.shared.store.rows().iter().map(|row| stage.explorer.shared.store.get(*row));
    let all: Vec<Activity> = all.collect();
    let tries: Vec<Activity> = all.iter().filter(|a| a.entity.is_some()).cloned().collect();
    assert_eq!(tries.len(), 2);
    // Two tries of one operation, and something else.
    let several = [&tries[..], &all[..1]].concat();
    let found = Reply::SearchProgress(
        source,
        SearchProgress::Found { what: "a text anywhere", count: 3, ms: 41, has_more: false },
        several,
    );
    stage.event(Event::Reply(*ticket, found));
    insta::assert_snapshot!(format!("{offered}\n════\n{waiting}\n════\n{}", stage.picture()));
    stage.act(&[Action::DOWN, Action::OPEN]);
    let opened = |stage: &Stage| stage.explore().detail.as_ref().expect("opened").activity.id.clone();
    assert_eq!(opened(&stage), tries[0].id, "the newest is first");
    // One that is in its store and not among what is loaded.
    let mut elsewhere = tries[0].clone();
    elsewhere.id = Id::Text("elsewhere-1".into());
    elsewhere.request_id = Some(elsewhere.id.clone());
    let effects = stage.event(Event::Open("elsewhere-1".to_owned(), Some(Tab::Retries)));
    let [Effect::Find(ticket, _)] = &effects[..] else { panic!("{effects:?}") };
    let found = Reply::SearchProgress(
        source,
        SearchProgress::Found { what: "an id", count: 2, ms: 3, has_more: false },
        vec![tries[1].clone(), elsewhere],
    );
    let effects = stage.event(Event::Reply(*ticket, found));
    stage.carry_out(effects);
    assert_eq!(opened(&stage).to_string(), "elsewhere-1", "it opens by itself: it is its very id");
    let detail = stage.explore().detail.as_ref().expect("opened");
    assert_eq!((detail.row, detail.tab), (None, Tab::Retries));
}

#[test]
fn what_is_taken_away_has_no_secrets_and_opens_again() {
    let mut stage = Stage::new(120, 40, "dark");
    stage.explorer.shared.settings.invocation = "crosstail demo".to_owned();
    stage.act(&[Action::PREVIOUS_FAILURE, Action::PREVIOUS_FAILURE, Action::OPEN, Action::VIEW_4]);
    let copied = |stage: &mut Stage, action: Action| match &stage.event(Event::Action(action))[..] {
        [Effect::Copy(text)] => text.clone(),
        [Effect::RunExternal(outside)] => outside.text.clone(),
        other => panic!("{action:?}: {other:?}"),
    };
    for action in
        [Action::COPY_WHOLE, Action::COPY_MARKDOWN, Action::COPY_CURL, Action::COPY_BODY, Action::PAGER, Action::EDITOR]
    {
        let text = copied(&mut stage, action);
        assert!(!text.contains("abcdefghijkl") && text.len() > 30, "{action:?}: {text}");
    }
    let whole: serde_json::Value = serde_json::from_str(&copied(&mut stage, Action::COPY_WHOLE)).expect("JSON");
    assert_eq!(whole["retry_chain"].as_array().map(Vec::len), Some(2));
    let curl = copied(&mut stage, Action::COPY_CURL);
    assert!(curl.contains("Bearer $AUTHORIZATION"), "{curl}");
    let id = stage.explore().detail.as_ref().expect("open").activity.id.to_string();
    assert_eq!(
        copied(&mut stage, Action::COPY_VIEW),
        format!("crosstail demo --range '..2026-11-18T11:27:40.000Z' --open '{id}' --tab error")
    );
    // Also tomorrow, it is the same time.
    stage.explorer.shared.range = Range::Last(3_600_000_000);
    let again = copied(&mut stage, Action::COPY_VIEW);
    assert!(again.contains("--range '2026-11-18T10:27:") && again.contains("..2026-11-18T11:27:40.000Z'"), "{again}");
    stage.event(Event::Filter("time:-15m system:SAP".to_owned()));
    let again = copied(&mut stage, Action::COPY_VIEW);
    assert!(again.contains("--filter 'system:SAP time:2026-11-18T11:12:40.000Z..2026-11-18T11:27:40.000Z'"), "{again}");
    stage.act(&[Action::NOTE]);
    stage.write("SAP was down", 0);
    stage.act(&[Action::OPEN]);
    assert!(copied(&mut stage, Action::COPY_MARKDOWN).contains("> SAP was down"));
    stage.act(&[Action::BUNDLE]);
    let effects = stage.event(Event::Action(Action::OPEN));
    let [Effect::WriteIncident(incident)] = &effects[..] else { panic!("{effects:?}") };
    assert!(incident.path.starts_with("incident-2026-11-18-"), "{}", incident.path);
    assert_eq!((incident.marks.len(), incident.marks[0].note.as_str()), (1, "SAP was down"));
    assert_eq!(incident.outcomes.as_deref(), Some("SAP since 2026-11-18T11:27:02.101Z · 1 operation: 1 waiting"));
    assert!(
        incident.range.filter.contains("system:SAP") && incident.reopen.contains("time:2026-11-18T"),
        "{incident:?}"
    );
    stage.act(&[Action::BACK]);
    assert!(stage.picture().contains("◆ SAP was down · "), "{}", stage.picture());
}

#[test]
fn the_detail_at_80() {
    let mut stage = Stage::new(80, 24, "dark");
    stage.act(&[Action::PREVIOUS_FAILURE, Action::OPEN, Action::VIEW_2]);
    insta::assert_snapshot!(stage.picture());
}

#[test]
fn health_and_sources() {
    let mut stage = Stage::new(130, 26, "dark");
    stage.act(&[Action::HEALTH]);
    let health = stage.picture();
    stage.act(&[Action::SOURCES]);
    insta::assert_snapshot!(format!("{health}\n════\n{}", stage.picture()));
}

/// Alerts that a store holds, in each state, and calls that make rules fire.
fn alarming(stage: &mut Stage) {
    let source = crosstail_core::model::SourceId(0);
    let alert = |n: u64, level: Level, word: &str, status: Status, title: &str| {
        let mut a = Activity::new(Id::Uuid(0xa000 + u128::from(n)), EPOCH.plus_ms(1_000_000 + n as i64 * 30_000));
        a.kind = Kind::Alert;
        (a.level, a.status, a.operation) = (Some(level), Some(status), Some(word.into()));
        a.system = Some("payments".into());
        a.message = Some(title.into());
        a.error = Some("12 of 20 in 5 minutes".into());
        a.attempt = Some(n as u16);
        a.actor = (word != "OPEN").then(|| "ann".into());
        a.completed_at = (status == Status::Success).then(|| a.started_at.plus_ms(60_000));
        a.places = vec![Place::new(source, Locator::Key(a.id.to_string().into()))];
        a
    };
    let mut items = vec![
        alert(0, Level::Error, "OPEN", Status::InProgress, "Payment errors \u{1b}[31m"),
        alert(1, Level::Fatal, "OPEN", Status::InProgress, "Payments stand still"),
        alert(2, Level::Warn, "ACKNOWLEDGED", Status::InProgress, "Slow ledger"),
        alert(3, Level::Info, "RESOLVED", Status::Success, "Certificate renewed"),
    ];
    for n in 0..120u64 {
        let failed = n % 3 == 0;
        let (status, code) = if failed { (Status::Failed, 503) } else { (Status::Success, 200) };
        let mut a = call(1000 + n, "SAP", 600 + n as i64 * 5, status, Some(code), 300 + n * 20);
        a.operation = Some(if n % 2 == 0 { "CREATE" } else { "READ" }.into());
        a.endpoint = Some(format!("/po/{}", ["create", "{id}", "list"][n as usize % 3]).into());
        a.places = vec![Place::new(source, Locator::Key(a.id.to_string().into()))];
        items.push(a);
    }
    stage.event(Event::Pump(PumpEvent::Batch { source, items, live: true }));
    stage.explorer.shared.alerts.alerting =
        crosstail_engine::insight::alerting::Alerting::new(crosstail::config::rules(None).0);
    let now = stage.explorer.shared.now;
    for second in 0..30 {
        stage.event(Event::Tick(now.plus_ms(second * 1000)));
    }
}

#[test]
fn a_system_and_alerts_at_160_and_80() {
    for (width, height) in [(160, 44), (80, 24)] {
        let mut stage = Stage::new(width, height, "dark");
        alarming(&mut stage);
        stage.act(&[Action::HEALTH]);
        let mut pictures = vec![stage.picture()];
        stage.act(&[Action::OPEN, Action::DOWN]);
        pictures.push(stage.picture());
        stage.act(&[Action::ALERTS, Action::DOWN]);
        pictures.push(stage.picture());
        insta::assert_snapshot!(format!("a_system_and_alerts_at_{width}"), pictures.join("\n════\n"));
    }
}

#[test]
fn keys_of_health_and_alerts() {
    let mut stage = Stage::new(160, 44, "dark");
    alarming(&mut stage);
    // Enter opens the system, Enter again narrows the list to it or to the chosen line of it, Escape goes back one level.
    stage.act(&[Action::HEALTH, Action::OPEN]);
    assert_eq!(stage.explorer.stack.name(), "system");
    assert!(stage.picture().contains("SAP"));
    stage.act(&[Action::BACK]);
    assert_eq!(stage.explorer.stack.name(), "health");
    stage.act(&[Action::OPEN, Action::DOWN, Action::OPEN]);
    assert_eq!(stage.explorer.stack.name(), "activity");
    let filter = stage.explorer.shared.filter.text().to_owned();
    assert!(filter.starts_with("system:SAP endpoint:\"/po/create\" time:"), "{filter}");
    assert_eq!(stage.explorer.shared.store.rows().len(), 42);
    // An alert leads to what is behind it.
    stage.act(&[Action::ALERTS]);
    let rules: Vec<&str> = stage
        .explorer
        .shared
        .alerts
        .lines
        .iter()
        .filter(|l| matches!(l.origin, AlertOrigin::Rule(_)))
        .map(|l| l.title.as_str())
        .collect();
    assert_eq!(rules, ["High error rate"]);
    let at = stage.explorer.shared.alerts.lines.iter().position(|l| l.title == "High error rate").expect("there");
    stage.go_to(at);
    stage.act(&[Action::OPEN]);
    let failures = stage.explorer.shared.store.rows().len();
    assert!(stage.explorer.stack.name() == "activity" && failures >= 20, "{failures}");
    assert!(stage.explorer.shared.store.rows().iter().all(|row| stage.explorer.shared.store.is_failure(*row)));
    // Nothing is written where it was not asked for.
    stage.act(&[Action::ALERTS]);
    let stored =
        stage.explorer.shared.alerts.lines.iter().position(|l| l.title == "Payments stand still").expect("there");
    stage.go_to(stored);
    let refused = stage.event(Event::Action(Action::ACKNOWLEDGE));
    assert_eq!(refused, []);
    assert!(
        stage.explorer.shared.notice.as_ref().is_some_and(|n| n.text.contains("--allow-writes")),
        "{:?}",
        stage.explorer.shared.notice
    );
    stage.explorer.shared.settings.writes_as = Some("ann".to_owned());
    for (action, to) in [(Action::ACKNOWLEDGE, AlertStatus::Acknowledged), (Action::RESOLVE, AlertStatus::Resolved)] {
        let asked = stage.event(Event::Action(action));
        let [Effect::ChangeAlert(change)] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!((change.to, change.by.as_str()), (to, "ann"));
    }
    // A rule's alert is taken, and silenced, in this session.
    let at = stage.explorer.shared.alerts.lines.iter().position(|l| l.title == "High error rate").expect("there");
    stage.go_to(at);
    stage.act(&[Action::SILENCE]);
    assert!(stage.explorer.shared.alerts.lines.iter().any(|l| l.title == "High error rate" && l.silenced));
    stage.act(&[Action::SILENCE, Action::ACKNOWLEDGE]);
    let line = stage.explorer.shared.alerts.lines.iter().find(|l| l.title == "High error rate").expect("there");
    assert!(!line.silenced && line.who.as_deref() == Some("ann"), "{line:?}");
    // A report of the screen is written where it is asked for.
    stage.act(&[Action::REPORT]);
    stage.write("/tmp/x/alerts.csv", 0);
    let written = stage.event(Event::Action(Action::OPEN));
    let [Effect::Report(path, report, _)] = written.as_slice() else { panic!("{written:?}") };
    assert_eq!((path.as_str(), report.tables[0].rows.len()), ("/tmp/x/alerts.csv", 5));
}

/// What a Kafka cluster, a scraped page and a health endpoint tell.
fn told() -> Vitals {
    let check = |system: Option<&str>, name: &str, state, detail: &str, took_us| Check {
        system: system.map(str::to_owned),
        name: name.to_owned(),
        state,
        detail: detail.to_owned(),
        took_us,
    };
    let lag = |group: &str, value| {
        let labels = [("group", group), ("topic", "log-ingestion"), ("state", "Stable"), ("members", "2")];
        Metric::new("consumer groups", "lag", &labels, value)
    };
    let requests = Metric {
        system: Some("SAP".to_owned()),
        kind: MetricKind::Counter,
        rate: Some(12.34),
        points: (0..20).map(|n| (EPOCH.plus_ms(n * 10_000), (n % 7) as f64)).collect(),
        ..Metric::new("metrics", "http_requests_total", &[("method", "POST"), ("route", "/po/{id}")], Some(1027.0))
    };
    let duration = Metric {
        system: Some("SAP".to_owned()),
        kind: MetricKind::Histogram,
        rate: Some(12.34),
        quantiles: Some([0.041, 0.9, 2.5]),
        ..Metric::new("metrics", "http_request_duration_seconds", &[("route", "/po/{id}")], Some(1027.0))
    };
    Vitals {
        checks: vec![
            check(
                None,
                "cluster",
                HealthState::Healthy,
                "3 brokers; every partition has its leader and its replicas",
                None,
            ),
            check(
                Some("apollo"),
                "apollo as halopsa",
                HealthState::Down,
                "timeout of \u{1b}[31m5000ms exceeded",
                Some(5_000_000),
            ),
            check(Some("SAP"), "health", HealthState::Unknown, "no answer (1 of 3): Connection refused", None),
        ],
        metrics: vec![requests, duration, lag("indexer", Some(1204.0)), lag("archiver", None)],
    }
}

#[test]
fn checks_and_metrics_beside_the_systems_and_below_the_sources() {
    for (width, height) in [(160, 30), (80, 24)] {
        let mut stage = Stage::new(width, height, "none");
        stage.event(Event::Pump(PumpEvent::Vitals(crosstail_core::model::SourceId(0), told())));
        stage.act(&[Action::HEALTH]);
        let health = stage.picture();
        stage.act(&[Action::SOURCES]);
        insta::assert_snapshot!(
            format!("checks_and_metrics_at_{width}"),
            format!("{health}\n════\n{}", stage.picture())
        );
    }
}

#[test]
fn help_palette_and_first_page() {
    let mut stage = Stage::new(110, 30, "dark");
    stage.act(&[Action::HELP, Action::HELP]);
    let help = stage.picture();
    stage.act(&[Action::BACK, Action::PALETTE]);
    stage.write("theme", 0);
    let palette = stage.picture();
    let mut first = Explorer::new(Names::default(), &[], chrono_tz::Tz::UTC, EPOCH);
    first.shared.settings.config_path = Some("/home/anna/.config/crosstail/config.toml".to_owned());
    stage.explorer = first;
    stage.event(Event::Resize(110, 30));
    insta::assert_snapshot!(format!("{help}\n════\n{palette}\n════\n{}", stage.picture()));
}

/// The last line is one key away, also from the first page.
#[test]
fn the_end_of_help_is_reached_by_one_key() {
    let mut stage = Stage::new(80, 24, "dark");
    stage.act(&[Action::HELP, Action::BOTTOM]);
    let end = stage.picture();
    stage.act(&[Action::DOWN]);
    assert_eq!(stage.picture(), end);
    stage.act(&[Action::TOP]);
    assert_ne!(stage.picture(), end);
    stage.act(&[Action::PAGE_DOWN; 20]);
    assert_eq!(stage.picture(), end);
    stage.act(&[Action::UP]);
    assert_ne!(stage.picture(), end);
}

#[test]
fn pausing_pins_what_is_shown() {
    let mut stage = Stage::new(100, 24, "dark");
    stage.act(&[Action::PAUSE]);
    let before: Vec<u32> = stage.explore().list.visible(&stage.explorer.shared.store, 10);
    let mut late = call(500, "SAP", 1245, Status::Success, Some(200), 10);
    late.places = vec![Place::new(crosstail_core::model::SourceId(0), Locator::Row(1))];
    let mut newest = call(501, "SAP", 1259, Status::Success, Some(200), 10);
    newest.places = late.places.clone();
    stage.event(Event::Pump(PumpEvent::Batch {
        source: crosstail_core::model::SourceId(0),
        items: vec![late, newest],
        live: true,
    }));
    assert_eq!(stage.explore().list.visible(&stage.explorer.shared.store, 10), before);
    assert!(
        stage.picture().contains("line 47 of 48 · 2 since you paused · space resumes · f newest"),
        "{}",
        stage.picture()
    );
    stage.act(&[Action::PAUSE]);
    assert!(stage.explore().list.follow);
    let after = stage.explore().list.visible(&stage.explorer.shared.store, 10);
    assert_ne!(after, before);
    assert_eq!(
        stage.explorer.shared.store.get(after[after.len() - 1]).id,
        Id::Uuid(0x7f3a_0000_0000_4000_8000_0000_0000_0000 + 501)
    );
}

#[test]
fn keeping_excluding_and_going_back() {
    let mut stage = Stage::new(100, 24, "dark");
    stage.act(&[Action::PREVIOUS_FAILURE, Action::KEEP]);
    assert_eq!(stage.explorer.shared.filter.text(), "system:SAP");
    assert_eq!(stage.explorer.shared.store.rows().len(), 2);
    stage.act(&[Action::VIEW_BACK]);
    assert_eq!(stage.explorer.shared.store.rows().len(), stage.explorer.shared.store.len());
    stage.act(&[Action::VIEW_FORWARD, Action::CLEAR_FILTER, Action::VIEW_1]);
    assert_eq!(stage.explorer.shared.filter.text(), "is:failure");
    stage.act(&[Action::FOCUS_NEXT, Action::EXCLUDE]);
    assert!(stage.explorer.shared.filter.text().contains("-system:"));
}

#[test]
fn a_range_of_the_histogram_narrows() {
    let mut stage = Stage::new(100, 24, "dark");
    stage.act(&[Action::FOCUS_PREVIOUS, Action::BOTTOM]);
    let last = stage.explore().histogram.data.buckets.iter().rposition(|b| b.failed > 0).expect("failures");
    stage.explorer.stack.explore.histogram.cursor = last;
    let bucket = stage.explore().histogram.data.buckets[last];
    let expected = bucket.total as usize;
    // With a range begun, the comparison is of what is in it.
    stage.act(&[Action::OPEN, Action::COMPARE]);
    let head = format!("what tells {} failures from the other", bucket.failed);
    let picture = stage.picture();
    assert!(picture.contains(&head) && picture.contains(" … "), "{head}: {picture}");
    stage.act(&[Action::COMPARE, Action::FOCUS_PREVIOUS, Action::OPEN]);
    assert!(stage.explorer.shared.filter.text().starts_with("time:"));
    assert_eq!(stage.explorer.shared.store.rows().len(), expected);
}

#[test]
fn every_action_is_accepted_by_something() {
    let mut stage = Stage::new(100, 24, "dark");
    // Of the demonstration alone.
    stage.explorer.stack.offer_tour();
    assert_eq!(stage.explorer.stack.actions(), crosstail::screens::vocabulary().actions);
}

/// Every screen, overlay and panel by its keys, there and back: the list is as it was.
#[test]
fn keys_lead_there_and_back() {
    let mut stage = Stage::new(160, 40, "dark");
    alarming(&mut stage);
    stage.explorer.shared.notice = None;
    let list = stage.picture();
    let macros: &[(&[&str], &str, &[&str])] = &[
        (&["h"], "worst first", &["esc"]),
        (&["h"], "worst first", &["h"]),
        (&["h", "z"], "the last 15 min, worst first", &["esc"]),
        (&["h", "enter"], "endpoints, most failures first", &["esc", "esc"]),
        (&["h", "enter", "down", "h"], "worst first", &["esc"]),
        (&["a"], "rules every 10 s", &["a"]),
        (&["h", "a", "down"], "rules every 10 s", &["esc"]),
        (&["s"], "what it is", &["esc"]),
        (&["L"], "no source does anything", &["L"]),
        (&["c"], "what tells", &["esc"]),
        (&["a", "s", "c", "h"], "worst first", &["esc"]),
        (&["?"], "type to search", &["esc"]),
        (&["?", "?", "end"], "outgoing call, incoming call", &["?"]),
        (&["?", "m", "a", "r", "k"], "mark or unmark", &["esc"]),
        (&["?", "pgdn", "home"], "take along", &["esc"]),
        (&["h", "?"], "type to search", &["esc", "esc"]),
        (&[":"], "edit the filter", &["esc"]),
        (&["tab"], "next panel", &["tab", "tab"]),
        (&["backtab"], "⏎ range", &["esc"]),
        (&["/"], "complete", &["esc"]),
        (&["w"], "write this screen as a report to", &["esc"]),
        (&["|"], "pipe to a command", &["esc"]),
        (&["b"], "time", &["b"]),
        (&["H"], "time", &["H"]),
    ];
    for (there, shown, back) in macros {
        stage.press(there);
        let picture = stage.picture();
        assert!(picture.contains(shown), "{there:?} shows {shown}:\n{picture}");
        stage.press(back);
        stage.explorer.shared.notice = None;
        assert_eq!(stage.picture(), list, "{there:?} and back by {back:?}");
    }
}

/// What is typed is in the field that has the keys, and nowhere else.
#[test]
fn keys_type_where_a_text_is_expected() {
    let mut stage = Stage::new(160, 40, "dark");
    stage.press(&["/", "s", "y", "s", "tab", "s", "a", "p", "enter"]);
    assert_eq!(stage.explorer.shared.filter.text(), "system:sap");
    stage.press(&["/", "q", "backspace", "esc"]);
    assert_eq!(stage.explorer.shared.filter.text(), "system:sap", "escape is as before");
    stage.press(&["backspace", ":", "v", "i", "e", "w", "space", "f", "a", "i", "l", "enter"]);
    assert_eq!(stage.explorer.shared.filter.text(), "is:failure", "a view by its name");
    stage.press(&["enter", "2", "/", "s", "k", "u", "enter", "n"]);
    assert!(stage.picture().contains("found · n next"), "{}", stage.picture());
    assert_eq!(stage.press_for_effects("ctrl-c"), [Effect::Quit], "also while a detail is open");
    stage.press(&["/"]);
    assert_eq!(stage.press_for_effects("ctrl-c"), [Effect::Quit], "also while a search is typed");
    stage.press(&["esc", "esc", "o", "P", "O", "-", "4", "7"]);
    let asked = stage.press_for_effects("enter");
    assert!(matches!(asked.as_slice(), [Effect::Find(_, text)] if text == "PO-47"), "{asked:?}");
    stage.press(&["esc", "#", "d", "o", "w", "n", "enter"]);
    assert_eq!(stage.explorer.shared.marks.values().map(|mark| mark.note.as_str()).collect::<Vec<_>>(), ["down"]);
}

/// Presses where a text stands.
pub fn press_at(stage: &mut Stage, text: &str, nth: usize) {
    let (x, y) = stage.place_of(text, nth);
    stage.mouse(Gesture::Press, x, y);
    stage.mouse(Gesture::Release, x, y);
}

#[test]
fn the_mouse_does_what_keys_do_wherever_it_is() {
    let mut stage = Stage::new(160, 40, "dark");
    let selected = |stage: &Stage| stage.explore().list.selected;
    stage.press(&["h"]);
    stage.mouse(Gesture::Press, 60, 30);
    assert_eq!(selected(&stage), None, "nothing of the list that health covers");
    // A system is selected, then opened; the footer leads back.
    press_at(&mut stage, "Zoho", 0);
    press_at(&mut stage, "Zoho", 0);
    assert_eq!(stage.explorer.stack.name(), "system");
    press_at(&mut stage, "all systems", 0);
    assert_eq!(stage.explorer.stack.name(), "health");
    press_at(&mut stage, "back", 0);
    assert_eq!(stage.explorer.stack.name(), "activity");
    // A row is selected, then opened; its tabs, and what closes it.
    let (x, y) = stage.place_of("POST /po/create", 2);
    stage.mouse(Gesture::Press, x, y);
    let first = selected(&stage);
    assert!(first.is_some() && stage.explore().detail.is_none());
    stage.mouse(Gesture::Press, x, y);
    assert_eq!(stage.explore().detail.as_ref().and_then(|detail| detail.row), first, "the second press opens it");
    press_at(&mut stage, "3 response", 0);
    assert_eq!(stage.explore().detail.as_ref().map(|detail| detail.tab), Some(Tab::Response));
    press_at(&mut stage, "[×]", 0);
    assert!(stage.explore().detail.is_none(), "closed by the mouse");
    // A value of the facets.
    press_at(&mut stage, "Apollo", 0);
    press_at(&mut stage, "Apollo", 0);
    assert_eq!(stage.explorer.shared.filter.text(), "system:Apollo");
    stage.press(&["backspace"]);
    // A range of the histogram: dragged over, or by its ends.
    stage.mouse(Gesture::Press, 30, 3);
    stage.mouse(Gesture::Drag, 60, 3);
    assert!(stage.explore().histogram.range().is_some());
    stage.mouse(Gesture::Drag, 90, 5);
    stage.mouse(Gesture::Release, 90, 5);
    assert!(stage.explorer.shared.filter.text().starts_with("time:"), "dragging chooses a range");
    stage.press(&["backspace"]);
    stage.mouse(Gesture::Press, 30, 3);
    stage.mouse(Gesture::Release, 30, 3);
    assert!(stage.explorer.shared.filter.is_all());
    stage.mouse(Gesture::Press, 90, 3);
    stage.mouse(Gesture::Release, 90, 3);
    assert!(stage.explorer.shared.filter.text().starts_with("time:"), "two clicks choose a range");
    stage.press(&["backspace"]);
    // The wheel moves what is below it, whichever panel has the keys.
    let before = stage.explore().facets.selected;
    let (x, y) = stage.place_of("Zoho", 0);
    stage.mouse(Gesture::Wheel(false), x, y);
    assert_eq!((stage.explore().facets.selected, stage.explore().focus), (before + 3, Focus::List));
    stage.mouse(Gesture::Wheel(true), 80, 30);
    assert!(selected(&stage).is_some());
    // The header and overlays; pressing beside an overlay closes it.
    press_at(&mut stage, "[?] help", 0);
    assert!(stage.picture().contains("type to search"));
    stage.mouse(Gesture::Press, 0, 20);
    assert!(!stage.picture().contains("type to search"));
    press_at(&mut stage, "commands", 0);
    press_at(&mut stage, "trace of the activity", 0);
    press_at(&mut stage, "trace of the activity", 0);
    assert_eq!(stage.explore().detail.as_ref().map(|detail| detail.tab), Some(Tab::Trace));
    press_at(&mut stage, "close", 0);
    assert!(stage.explore().detail.is_none(), "closed by the hint of the footer");
    press_at(&mut stage, "everything", 0);
    assert!(stage.explorer.stack.is_typing(), "the filter is edited");
}

#[test]
fn jobs_are_listed_and_one_is_ended() {
    for (width, height) in [(160, 40), (80, 24)] {
        let mut stage = Stage::new(width, height, "dark");
        let source = crosstail_core::model::SourceId(0);
        let jobs = stage.explorer.shared.jobs.clone();
        let begin = |purpose: &str, priority, statement: &str| {
            let job = jobs.begin(source, Job::new(purpose, priority));
            job.runs(statement);
            job
        };
        let follow = begin("follow", Priority::Follow, "SELECT id FROM calls WHERE xmin >= $1");
        let statement = "SELECT body FROM calls WHERE head = 'Bearer abcdefghijk7' AND id = \u{1b}[31m$1";
        let opened = begin("open a payload", Priority::Asked, statement);
        opened.count(12_345, 3_000_000);
        stage.press(&["L"]);
        let picture = stage.picture();
        for shown in ["2 running · 0 waiting", "follow", "open a payload", "12,345", "xmin >= $1"] {
            assert!(picture.contains(shown), "{shown}:\n{picture}");
        }
        stage.press(&["down"]);
        let picture = stage.picture();
        assert!(picture.contains("SELECT body") && !picture.contains("abcdefghijk7"), "{picture}");
        let [Effect::EndJob(number)] = stage.press_for_effects("x")[..] else { panic!("x ends a job") };
        assert_eq!(number, opened.number());
        jobs.cancel(number);
        assert!(opened.is_cancelled() && !follow.is_cancelled());
        // The cursor stays with its job; what has ended is gone.
        let later = begin("figures", Priority::View, "SELECT count(*)");
        drop(follow);
        let now = stage.explorer.shared.now;
        stage.event(Event::Tick(now.plus_ms(1000)));
        let picture = stage.picture();
        assert!(
            picture.contains("SELECT body") && picture.contains("figures") && !picture.contains("follow "),
            "{picture}"
        );
        drop((opened, later));
        stage.event(Event::Tick(now.plus_ms(2000)));
        assert_eq!(stage.press_for_effects("x"), [], "nothing is left to end");
        // What happened is below: it is searched, and copied.
        for (minute, text) in
            ["orders: not reachable error=refused", "orders: live", "notice: copied"].iter().enumerate()
        {
            let at = now.plus_ms(60_000 * minute as i64);
            stage.explorer.shared.log.add(LogLine { at, level: tracing::Level::WARN, text: (*text).to_owned() });
        }
        stage.event(Event::Tick(now.plus_ms(3000)));
        assert!(stage.picture().contains("log (3)") && stage.picture().contains("said  copied"), "{}", stage.picture());
        stage.press(&["/", "l", "i", "v", "e", "enter"]);
        let picture = stage.picture();
        assert!(picture.contains("log (1 of 3)") && !picture.contains("refused"), "{picture}");
        stage.press(&["y"]);
        let [Effect::Copy(text)] = &stage.press_for_effects("y")[..] else { panic!("the line is copied") };
        assert!(text.ends_with("WARN  orders: live"), "{text}");
        stage.press(&["backspace"]);
        assert!(stage.picture().contains("refused"));
        // Queries are listed when they are asked for, or searched for.
        let query = LogLine { at: now, level: tracing::Level::DEBUG, text: "read history took=3 ms".to_owned() };
        stage.explorer.shared.log.add(query);
        stage.event(Event::Tick(now.plus_ms(4000)));
        let listed = |stage: &Stage| stage.picture().contains("read history");
        assert!(!listed(&stage) && stage.picture().contains("log (3 of 4)"), "{}", stage.picture());
        stage.press(&["d"]);
        assert!(listed(&stage) && stage.picture().contains("log (4)"), "{}", stage.picture());
        stage.press(&["d", "/", "t", "o", "o", "k", "enter"]);
        assert!(listed(&stage), "{}", stage.picture());
    }
}

#[test]
fn tables_of_a_database_are_offered_by_how_well_they_fit() {
    let mut stage = Stage::new(120, 24, "dark");
    let effects = stage.press_for_effects("D");
    let ticket = effects.iter().find_map(|effect| match effect {
        Effect::ListTables(ticket) => Some(*ticket),
        _ => None,
    });
    let source = stage.explorer.shared.sources[0].id;
    let tables = stage.tables();
    stage.event(Event::Reply(ticket.expect("asked"), Reply::Tables(tables)));
    let picture = stage.picture();
    for text in ["api_calls", "120,000", "14 ✓", "customers", "started_at = created_at"] {
        assert!(picture.contains(text), "{text}: {picture}");
    }
    stage.press(&["down"]);
    assert!(stage.press_for_effects("d").contains(&Effect::WriteDraft(source, "customers".to_owned())));
    assert!(
        stage.press_for_effects("enter").contains(&Effect::ReadInstead(Instead::Table(source, "customers".to_owned())))
    );
}

#[test]
fn failures_are_shown_in_groups() {
    let mut stage = Stage::new(160, 48, "dark");
    stage.press(&["F"]);
    assert!(stage.picture().contains("2 groups of 3 failures · 1 new · 1 back again"), "{}", stage.picture());
    assert!(stage.picture().contains("new since"), "{}", stage.picture());
    // Muted, it stays under the cursor, and what is remembered is told.
    let [Effect::SayOfGroup(said)] = &stage.press_for_effects("m")[..] else { panic!("nothing is said") };
    assert_eq!(said.1.mute.map(|mute| mute.at), Some(stage.explorer.shared.now));
    assert!(stage.picture().contains("1 muted") && stage.picture().contains("0 new"), "{}", stage.picture());
    stage.press(&["m", "#"]);
    stage.write("known since the deploy", 0);
    let noted = stage.press_for_effects("enter");
    assert!(matches!(&noted[..], [Effect::SayOfGroup(said)] if said.1.note == "known since the deploy"), "{noted:?}");
    assert!(stage.picture().contains("# known since the deploy"), "{}", stage.picture());
    // An example in one key; the rows behind it in one.
    stage.press(&["x"]);
    assert!(stage.picture().contains("Tally") && stage.explorer.stack.name() == "activity", "{}", stage.picture());
    stage.press(&["F", "down", "enter"]);
    let filter = stage.explorer.shared.filter.text().to_owned();
    assert_eq!(filter, r#"is:failure http:503 system:SAP endpoint:"/po/create" pattern:"Service Unavailable""#);
    assert_eq!(stage.explorer.shared.store.rows().len(), 2);
    // The same again adds nothing; excluded, its failures are gone.
    stage.press(&["F", "down", "enter"]);
    assert_eq!(stage.explorer.shared.filter.text(), filter);
    stage.press(&["backspace", "F", "down", "-"]);
    assert!(stage.explorer.shared.filter.text().starts_with("-(is:failure http:503"));
    assert_eq!(stage.explorer.shared.store.rows().len(), 44);
}

#[test]
fn patterns_are_narrowed_excluded_and_looked_into() {
    let mut stage = Stage::new(160, 48, "dark");
    let source = crosstail_core::model::SourceId(0);
    let line = |n: u64| {
        let mut line = Activity::new(Id::Uuid(u128::from(5000 + n)), EPOCH.plus_ms(1_100_000 + n as i64));
        line.level = Some(Level::Info);
        line.message = Some(format!("order {} sent to {}", 70 + n % 2, ["ann", "bob", "cyrus"][n as usize % 3]).into());
        line.places = vec![Place::new(source, Locator::Row(n as i64))];
        line
    };
    let items = (0..12).map(line).collect();
    stage.event(Event::Pump(PumpEvent::Batch { source, items, live: false }));
    stage.press(&["p"]);
    let picture = stage.picture();
    assert!(picture.contains("5 patterns of 16 activities · 42 without a message"), "{picture}");
    assert!(picture.contains("order <*> sent to ann") && picture.contains("for example order"), "{picture}");
    // The values of what varies; one of them narrows.
    stage.press(&["v"]);
    assert!(stage.picture().contains("2 values of 4 activities · gap 1 of 1"), "{}", stage.picture());
    stage.press(&["down", "enter"]);
    assert_eq!(
        stage.explorer.shared.filter.text(),
        r#"pattern:"order <*> sent to ann" message:/^order\s+\W*71\W*\s+sent\s+to\s+ann$/"#
    );
    assert_eq!(stage.explorer.shared.store.rows().len(), 2);
    // The pattern itself, and everything else.
    stage.press(&["backspace", "p", "enter"]);
    assert_eq!(stage.explorer.shared.store.rows().len(), 4);
    stage.press(&["backspace", "p", "-"]);
    assert_eq!(stage.explorer.shared.filter.text(), r#"-pattern:"order <*> sent to ann""#);
    assert_eq!(stage.explorer.shared.store.rows().len(), 54);
    stage.press(&["p", "x"]);
    assert_eq!(stage.explorer.stack.name(), "activity");
}

#[test]
fn the_histogram_has_a_tick_where_failures_begin() {
    let picture = |begin: i64| {
        let mut stage = Stage::new(160, 48, "dark");
        let call = |second: i64| {
            let mut call = Activity::new(Id::Text(format!("call {second}").into()), EPOCH.plus_ms(second * 1000));
            call.system = Some("SAP".into());
            call.status = Some(if second >= begin && second % 2 == 0 { Status::Failed } else { Status::Success });
            call
        };
        let (source, items) = (crosstail_core::model::SourceId(0), (0..1260).map(call).collect());
        stage.event(Event::Pump(PumpEvent::Batch { source, items, live: false }));
        stage.explorer.count(true);
        stage.picture()
    };
    let ticks = |picture: &str| -> Vec<usize> {
        let columns =
            |line: &str| line.chars().enumerate().filter(|(_, c)| *c == '▾').map(|(at, _)| at).collect::<Vec<_>>();
        picture.lines().flat_map(columns).collect()
    };
    let (changed, without) = (picture(900), picture(i64::MAX));
    let own = ticks(&changed).into_iter().filter(|at| !ticks(&without).contains(at)).count();
    assert_eq!(own, 1, "one tick more than without failures: {changed}{without}");
}

/// The changes of systems, then of the endpoints of one; a source that is away takes nothing away from what the others say.
#[test]
fn changes_are_told_by_endpoint_and_without_a_source_that_is_away() {
    let mut stage = Stage::new(160, 48, "dark");
    stage.press(&["~"]);
    let effects = stage.press_for_effects("e");
    let [Effect::FindChanges(ticket, range, by, _)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((range.filter.as_str(), by.as_slice()), ("system:SAP", &[Field::System, Field::Endpoint][..]));
    let mut found = changes(by);
    found.ends = true;
    found.problem = Some("billing: cannot connect".to_owned());
    stage.event(Event::Reply(*ticket, Reply::Changes(Ok(Box::new(found)))));
    let picture = stage.picture();
    for says in
        ["2 changes", "of endpoints of SAP", "/sap/po/create", "no activities after", "without billing: cannot connect"]
    {
        assert!(picture.contains(says), "{says}: {picture}");
    }
    // Enter shows what was then, of the endpoint.
    stage.press(&["enter"]);
    let filter = stage.explorer.shared.filter.text().to_owned();
    assert!(filter.ends_with("system:SAP endpoint:\"/sap/po/create\""), "{filter}");
}

/// Back is the view that the explorer was opened with, not everything.
#[test]
fn the_first_view_of_the_history_is_the_one_that_was_opened() {
    let mut stage = Stage::new(160, 48, "dark");
    stage.explorer.shared.range = Range::Last(3_600_000_000);
    stage.press(&["F", "enter"]);
    assert_ne!(stage.explorer.shared.filter.text(), "");
    stage.press(&["["]);
    assert_eq!(stage.explorer.shared.filter.text(), "");
    assert_eq!(stage.explorer.shared.range, Range::Last(3_600_000_000));
}

#[test]
fn changes_stand_between_what_was_marked() {
    let mut stage = Stage::new(160, 48, "dark");
    let text = "deployed 1.4.3\u{1b}[31m".to_owned();
    stage.explorer.shared.markers = vec![crosstail::config::Marker { at: EPOCH.plus_ms(1_110_000), text }];
    assert!(stage.picture().contains('◆'), "in the histogram: {}", stage.picture());
    stage.press(&["~"]);
    let picture = stage.picture();
    let place = |text: &str| picture.find(text).unwrap_or_else(|| panic!("{text} in {picture}"));
    assert!(place("2 changes") < place("deployed 1.4.3") && place("deployed 1.4.3") < place("61.0 %"), "{picture}");
    assert!(!picture.contains('\u{1b}') && place("412 ms") < place("2.5 s"), "{picture}");
    // The last one is selected; Enter shows what was then.
    stage.press(&["enter"]);
    let filter = stage.explorer.shared.filter.text().to_owned();
    assert!(filter.starts_with("time:") && filter.ends_with(" system:SAP"), "{filter}");
}

//! The rules that are shipped, on a clock that the test moves: each fires, is told once while it holds, resolves, and is held
//! back while it cools down. And health out of memory and stores together.

use crate::support::EPOCH;

use crosstail::config;
use crosstail_core::filter::Context;
use crosstail_core::model::{Activity, Figures, Id, Kind, Metric, MetricKind, Names, Status, Timestamp, Unit, Vitals};
use crosstail_engine::insight::alerting::{
    AlertState, Alerting, EvaluationInput, Objectives, Rule, SourceSnapshot, Transition,
};
use crosstail_engine::insight::objective::{Count, Objective, Stretch};
use crosstail_engine::store::Store;
use crosstail_source::Groups;

const STEP_US: i64 = 10_000_000;
const MINUTE_US: i64 = 60_000_000;

/// An activity: status, HTTP status, milliseconds, try.
type Call = (Status, u16, u64, u16);
/// What is measured: name, kind, unit, labels, its value when all is well and when it is not.
type Gauge = (&'static str, MetricKind, Unit, &'static [(&'static str, &'static str)], f64, f64);

/// What happens in ten seconds, when all is well and when it is not.
struct Scene {
    rule: &'static str,
    /// Each of ten activities.
    well: fn(u64) -> Option<Call>,
    badly: fn(u64) -> Option<Call>,
    metrics: &'static [Gauge],
    unreachable: bool,
    /// A value that its reason has.
    says: &'static str,
}

const GOOD: Call = (Status::Success, 200, 200, 1);

const SCENE: Scene =
    Scene { rule: "", well: |_| Some(GOOD), badly: |_| Some(GOOD), metrics: &[], unreachable: false, says: "SAP" };

const SCENES: &[Scene] = &[
    Scene {
        rule: "HighErrorRate",
        badly: |n| Some(if n % 10 < 2 { (Status::Failed, 503, 200, 1) } else { (Status::Success, 200, 200, 1) }),
        says: "% of the calls of SAP failed in 5 min",
        ..SCENE
    },
    Scene {
        rule: "SlowResponseTime",
        badly: |_| Some((Status::Success, 200, 8000, 1)),
        says: "p95 of SAP is 8.0 s",
        ..SCENE
    },
    Scene {
        rule: "DBConnectionPoolExhausted",
        metrics: &[
            ("db_connections_active", MetricKind::Gauge, Unit::Count, &[], 20.0, 95.0),
            ("db_connections_max", MetricKind::Gauge, Unit::Count, &[], 100.0, 100.0),
        ],
        says: "95.0 % of the database connections",
        ..SCENE
    },
    Scene {
        rule: "QueueBacklog",
        metrics: &[("queue_size", MetricKind::Gauge, Unit::Count, &[("queue_name", "leads")], 3.0, 1500.0)],
        says: "1,500 messages wait in leads",
        ..SCENE
    },
    Scene {
        rule: "LeadSyncFailures",
        metrics: &[
            (
                "lead_sync_total",
                MetricKind::Counter,
                Unit::Count,
                &[("source", "apollo"), ("status", "failed")],
                0.1,
                12.0,
            ),
            (
                "lead_sync_total",
                MetricKind::Counter,
                Unit::Count,
                &[("source", "apollo"), ("status", "success")],
                50.0,
                50.0,
            ),
        ],
        says: "lead syncs of apollo fail at",
        ..SCENE
    },
    Scene { rule: "Silence", badly: |_| None, says: "nothing from SAP in 15 min; it was active in 100 %", ..SCENE },
    Scene {
        rule: "RetryStorm",
        badly: |n| Some((Status::Success, 200, 200, if n % 10 < 6 { 2 } else { 1 })),
        says: "are retries",
        ..SCENE
    },
    Scene {
        rule: "SuccessOutOfBand",
        badly: |n| Some(if n % 10 < 3 { (Status::Failed, 409, 200, 1) } else { (Status::Success, 200, 200, 1) }),
        says: " %, usually 9",
        ..SCENE
    },
    Scene {
        rule: "ErrorBudgetBurnsFast",
        badly: |n| Some(if n % 10 < 3 { (Status::Failed, 409, 200, 1) } else { GOOD }),
        says: "× over 5 min; ",
        ..SCENE
    },
    Scene {
        rule: "ErrorBudgetBurns",
        badly: |n| Some(if n % 10 < 3 { (Status::Failed, 409, 200, 1) } else { GOOD }),
        says: "the error budget of orders burns ",
        ..SCENE
    },
    Scene { rule: "SourceUnreachable", unreachable: true, says: "shop has been unreachable for", ..SCENE },
];

/// A world of one system that a clock is moved through.
struct World<'a> {
    scene: &'a Scene,
    alerting: Alerting,
    store: Store,
    now: Timestamp,
    count: u64,
    unreachable_since: Option<Timestamp>,
    vitals: Vitals,
    told: Vec<(Timestamp, Transition, String)>,
}

impl<'a> World<'a> {
    fn new(scene: &'a Scene, change: impl FnOnce(&mut Rule)) -> Self {
        let mut rule = config::rules(None).0.into_iter().find(|rule| rule.name == scene.rule).expect("shipped");
        change(&mut rule);
        let mut alerting = Alerting::new(vec![rule]);
        // A day in which the system always spoke, and nearly always well.
        if let Some((window_us, asked)) = alerting.request_baseline(EPOCH) {
            let mut groups = Groups::new();
            let mut at = asked.since;
            while at < asked.until {
                let failed = (at.0 / window_us % 4) as u64;
                let (count, succeeded) = (300, 300 - failed);
                let figures = Figures { count, failed, succeeded, concluded: count, ..Figures::default() };
                groups.insert((vec![Some("SAP".to_owned())], Some(at)), figures);
                at = at.plus_us(window_us);
            }
            alerting.set_baseline(window_us, Some(&groups), EPOCH);
        }
        // A month in which all orders succeeded.
        let orders = Objective::new("orders", ("system:SAP", "status:success"), "99 %", "30d").expect("an objective");
        alerting.objectives = Objectives::new(vec![orders]);
        let query = alerting.objectives.request(EPOCH, EPOCH).expect("nothing is counted");
        let mut counts = Vec::new();
        for Stretch { from, to, bucket_us } in &query.stretches {
            let mut at = *from;
            while at < *to {
                let total = 60 * (bucket_us / MINUTE_US) as u64;
                counts.push((at, *bucket_us, Count { total, good: total }));
                at = at.plus_us(*bucket_us);
            }
        }
        alerting.objectives.answer(&query, Some(&counts));
        let store = Store::new(Names::default());
        let (vitals, told) = (Vitals::default(), Vec::new());
        Self { scene, alerting, store, now: EPOCH, count: 0, unreachable_since: None, vitals, told }
    }

    /// So many ten seconds go by; gives what was told in them.
    fn go(&mut self, steps: i64, badly: bool) -> Vec<(Timestamp, Transition, String)> {
        let before = self.told.len();
        for _ in 0..steps {
            self.now = self.now.plus_us(STEP_US);
            let mut batch = Vec::new();
            for n in 0..10 {
                self.count += 1;
                let of = if badly { self.scene.badly } else { self.scene.well };
                let Some((status, http, ms, attempt)) = of(n) else { continue };
                let mut activity =
                    Activity::new(Id::Text(format!("a{}", self.count).into()), self.now.plus_us(-1_000_000 * n as i64));
                activity.kind = Kind::ApiCall;
                activity.system = Some("SAP".into());
                (activity.status, activity.http_status) = (Some(status), Some(http));
                (activity.duration_us, activity.attempt) = (Some(ms * 1000), Some(attempt));
                batch.push(activity);
            }
            self.store.ingest(batch);
            let metric =
                |(name, kind, unit, labels, well, bad): &(&str, MetricKind, Unit, &[(&str, &str)], f64, f64)| {
                    let value = Some(if badly { *bad } else { *well });
                    let metric = Metric::new("m", name, labels, value);
                    Metric { kind: *kind, unit: *unit, rate: value.filter(|_| *kind == MetricKind::Counter), ..metric }
                };
            let mut vitals = Vitals { metrics: self.scene.metrics.iter().map(metric).collect(), ..Vitals::default() };
            vitals.follow(&self.vitals, self.now);
            self.vitals = vitals;
            self.unreachable_since =
                if badly && self.scene.unreachable { self.unreachable_since.or(Some(self.now)) } else { None };
            let source =
                SourceSnapshot { name: "shop", unreachable_since: self.unreachable_since, vitals: &self.vitals };
            let context = Context { now: self.now, ..Context::default() };
            let until = Timestamp(i64::MAX);
            let (held_from, sources) = (EPOCH, vec![source]);
            let seen = EvaluationInput { context, store: &self.store, until, held_from, sources };
            let changes = self.alerting.evaluate(&seen);
            self.told.extend(changes.into_iter().map(|c| (self.now, c.transition, c.alert.reason)));
        }
        self.told[before..].to_vec()
    }

    fn firing(&self) -> bool {
        self.alerting.alerts.active.iter().any(|alert| alert.state == AlertState::Firing)
    }
}

fn turns(told: &[(Timestamp, Transition, String)]) -> Vec<Transition> {
    told.iter().map(|(_, turn, _)| *turn).collect()
}

#[test]
fn every_shipped_rule_fires_holds_cools_down_and_resolves() {
    let shipped = config::rules(None).0;
    for rule in &shipped {
        assert!(SCENES.iter().any(|scene| scene.rule == rule.name), "{} has no test", rule.name);
    }
    for scene in SCENES {
        let name = scene.rule;
        let mut world = World::new(scene, |_| {});
        assert_eq!(world.go(120, false), [], "{name}: all is well");
        let began = world.now;
        let rule = world.alerting.rules[0].clone();
        // It fires: not before it held for long enough, and not much after the window is full of it.
        let steps = (rule.window_us + rule.for_us) / STEP_US + 20;
        let told = world.go(steps, true);
        assert_eq!(turns(&told), [Transition::Firing], "{name}: told once while it holds");
        let (at, _, reason) = &told[0];
        assert!(at.since_us(began) >= rule.for_us, "{name}: fired after {} s", at.since_us(began) / 1_000_000);
        assert!(at.since_us(began) <= rule.window_us + rule.for_us + 3 * STEP_US, "{name}: fired late");
        assert!(reason.contains(scene.says), "{name}: {reason}");
        assert_eq!(world.go(60, true), [], "{name}: holds, and is not told again");
        // It resolves: once.
        let told = world.go(rule.window_us / STEP_US + 2, false);
        assert_eq!(turns(&told), [Transition::Resolved], "{name}");
        assert_eq!(world.go(30, false), [], "{name}: all is well again");
    }
}

#[test]
fn every_shipped_rule_is_held_back_while_it_cools_down() {
    for scene in SCENES {
        let name = scene.rule;
        let mut world = World::new(scene, |rule| {
            assert_eq!(rule.cooldown_us, 5 * MINUTE_US, "{name}: as docs/reference/halopsa.md has it");
            // Longer than it takes to fire again, whatever the rule.
            rule.cooldown_us = (90 * MINUTE_US).max(5 * rule.window_us);
        });
        let cooldown_us = world.alerting.rules[0].cooldown_us;
        world.go(120, false);
        let rule = world.alerting.rules[0].clone();
        let steps = (rule.window_us + rule.for_us) / STEP_US + 20;
        let fired_at = world.go(steps, true)[0].0;
        assert_eq!(turns(&world.go(rule.window_us / STEP_US + 2, false)), [Transition::Resolved], "{name}");
        // It fires again, and nobody is told of it yet.
        assert_eq!(world.go(steps, true), [], "{name}: cools down");
        assert!(world.firing(), "{name}: it is seen all the same");
        // What is over before it could be told is never told.
        assert_eq!(world.go(rule.window_us / STEP_US + 2, false), [], "{name}");
        assert!(!world.firing(), "{name}");
        // What still fires when the cooldown ends is told then.
        let left = (cooldown_us - world.now.since_us(fired_at)) / STEP_US;
        let told = world.go(left + 2, true);
        assert_eq!(turns(&told), [Transition::Firing], "{name}");
        assert_eq!(told[0].0.since_us(fired_at), cooldown_us, "{name}: told when it ends");
    }
}

/// Calls and metrics below every limit by a hair raise nothing.
#[test]
fn at_the_limit_nothing_fires() {
    let scenes = [
        // 5 % is not more than 5 %: one of twenty, in pairs of steps.
        Scene {
            rule: "HighErrorRate",
            badly: |n| Some(if n == 0 { (Status::Success, 200, 200, 1) } else { (Status::Success, 499, 200, 1) }),
            ..SCENE
        },
        Scene { rule: "SlowResponseTime", badly: |_| Some((Status::Success, 200, 4900, 1)), ..SCENE },
        Scene {
            rule: "DBConnectionPoolExhausted",
            metrics: &[
                ("db_connections_active", MetricKind::Gauge, Unit::Count, &[], 20.0, 90.0),
                ("db_connections_max", MetricKind::Gauge, Unit::Count, &[], 100.0, 100.0),
            ],
            ..SCENE
        },
        Scene {
            rule: "QueueBacklog",
            metrics: &[("queue_size", MetricKind::Gauge, Unit::Count, &[], 3.0, 1000.0)],
            ..SCENE
        },
        Scene {
            rule: "SuccessOutOfBand",
            badly: |n| Some(if n == 0 { (Status::Success, 200, 200, 1) } else { (Status::Success, 200, 900, 1) }),
            ..SCENE
        },
    ];
    for scene in &scenes {
        let mut world = World::new(scene, |_| {});
        world.go(60, false);
        assert_eq!(world.go(120, true), [], "{}", scene.rule);
    }
}

/// What holds for long already when the explorer is opened fires at once, and what is over already is not told.
#[test]
fn the_minutes_before_count() {
    let scene = SCENES.iter().find(|scene| scene.rule == "HighErrorRate").expect("there");
    let mut world = World::new(scene, |_| {});
    world.go(60, false);
    world.go(70, true);
    let mut later = Alerting::new(config::rules(None).0);
    let context = Context { now: world.now, ..Context::default() };
    assert_eq!(later.catch_up(&world.store, context, world.now.plus_us(-15 * MINUTE_US)), []);
    let (until, held_from) = (Timestamp(i64::MAX), EPOCH);
    let seen = EvaluationInput { context, store: &world.store, until, held_from, sources: Vec::new() };
    let told = later.evaluate(&seen);
    let names: Vec<(&str, Transition)> =
        told.iter().map(|change| (change.alert.rule.as_str(), change.transition)).collect();
    assert_eq!(names, [("HighErrorRate", Transition::Firing)]);
    assert!(told[0].alert.fired_at.is_some_and(|at| at < world.now.plus_us(-MINUTE_US)), "fired in the past");
    assert_eq!(told[0].alert.filter, "system:SAP (http:* OR status:timeout) (http:5xx OR status:timeout)");
}

//! Measurements of groups of failures for rules: those that are new, or back again. Each is an alert of its own: it begins with
//! the group, and lasts while the group occurs. So no group fires twice.

use super::machine::Alert;
use super::measure::{Known, part};
use super::message::PATTERN;
use super::rule::{Group, Measured, OfActivities, Rule};
use super::seen::EvaluationInput;
use crate::failure::{DAY_US, DAYS, Fingerprint, Occurring, State};
use crate::pattern::Pattern;
use crate::store::{Row, Store};
use crosstail_core::model::Timestamp;
use std::collections::HashSet;

const HOUR_US: i64 = 3_600_000_000;

/// Measures the groups that have begun in the rule's window, and those whose alerts are active; `None` while it is not known
/// what failed before.
pub(super) fn measure(
    (rule, of): (&Rule, &OfActivities),
    state: State,
    known: &Known<'_>,
    seen: &EvaluationInput<'_>,
) -> Option<Vec<Measured>> {
    let ledger = known.failures?;
    let now = seen.context.now;
    let since = now.plus_us(-rule.window_us);
    let young = ledger.begins().filter(|begins| since.since_us(*begins) < DAY_US);
    // What is known for less than a day tells nothing from what is new.
    if young.is_none() && since.since_us(ledger.known_from()) < DAY_US {
        return None;
    }
    // Where the stores themselves are younger, everything begins with them; later groups are told with how long nothing was.
    let settled = young.map(|begins| begins.plus_us(rule.window_us.max(HOUR_US)));
    let active: Vec<(Fingerprint, &Alert)> = known
        .active
        .iter()
        .filter(|alert| alert.rule == rule.name)
        .map(|alert| (of_group(&alert.group), alert))
        .collect();
    let also: Vec<Fingerprint> = active.iter().map(|(of, _)| of.clone()).collect();
    let mut all: Vec<Measured> = Vec::new();
    for group in ledger.occurring(since, &also) {
        let before = active.iter().find(|(of, _)| of.is_same(&group.fingerprint));
        let has_begun = group.began >= since && settled.is_none_or(|settled| group.began >= settled);
        if before.is_none() && (!has_begun || group.state() != state) {
            continue;
        }
        // A word that has become one of several gives no group another name while its alert lasts.
        let name = before.map_or_else(|| to_group(&group.fingerprint), |(_, alert)| alert.group.clone());
        if all.iter().any(|known| known.group == name) {
            continue;
        }
        let rows: Vec<_> = group.rows.iter().copied().filter(|row| seen.store.started(*row) >= since).collect();
        let count = seen.store.matching(&rows, of.filter.predicate(&seen.context)).len() as u64;
        if count == 0 || count < of.at_least {
            continue;
        }
        let filter = [group.filter(seen.store), part(&of.filter)];
        let filter: Vec<String> = filter.into_iter().filter(|part| !part.is_empty()).collect();
        all.push(Measured {
            group: name,
            value: count as f64,
            count,
            of: 0,
            may_be_chance: false,
            usual: format!("{}{}", before_that(&group, ledger.known_from()), affected(seen.store, &rows)),
            filter: filter.join(" "),
        });
    }
    Some(all)
}

/// What was before the group began.
fn before_that(group: &Occurring, known_from: Timestamp) -> String {
    let days = |us: i64| match us / HOUR_US {
        hours if hours >= 48 => format!("{} days", hours / 24),
        1 => "hour".to_owned(),
        hours => format!("{hours} hours"),
    };
    match group.before {
        Some(before) => format!("after {} of silence", days(group.began.since_us(before))),
        None => {
            let known = group.began.since_us(known_from).min(DAYS * DAY_US);
            // Two weeks before the window are known, not before its last moment.
            let known = if known >= DAYS * DAY_US - HOUR_US { DAYS * DAY_US } else { known };
            format!("not in the {} before", days(known))
        }
    }
}

/// Whom the failures affect: ` · 212 entities · 3 organisations`; nothing where they do not say.
fn affected(store: &Store, rows: &[Row]) -> String {
    let (mut entities, mut organizations) = (HashSet::new(), HashSet::new());
    for row in rows {
        let one = store.get(*row);
        entities.extend(one.entity);
        organizations.extend(one.organization);
    }
    let said = |count: usize, one: &str, many: &str| match count {
        0 => String::new(),
        1 => format!(" · 1 {one}"),
        count => format!(" · {count} {many}"),
    };
    said(entities.len(), "entity", "entities") + &said(organizations.len(), "organisation", "organisations")
}

/// The labels of an alert about a group.
fn to_group(of: &Fingerprint) -> Group {
    let label = |name: &str, text: &Option<compact_str::CompactString>| {
        text.as_ref().map(|text| (name.to_owned(), text.to_string()))
    };
    let labels = [label("system", &of.system), label("endpoint", &of.endpoint)];
    let kind = ("kind".to_owned(), of.kind.to_string());
    let said = (PATTERN.to_owned(), of.pattern.text.clone());
    labels.into_iter().flatten().chain([kind]).chain(label("at", &of.frame)).chain([said]).collect()
}

/// The group that an alert with these labels is about.
fn of_group(group: &Group) -> Fingerprint {
    let of = |name: &str| group.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str());
    let text = of(PATTERN).unwrap_or_default().to_owned();
    Fingerprint {
        system: of("system").map(Into::into),
        endpoint: of("endpoint").map(Into::into),
        kind: of("kind").unwrap_or_default().into(),
        frame: of("at").map(Into::into),
        pattern: Pattern { id: crosstail_core::mask::id_of(&text), text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{KnownFailures, Seen};
    use crate::insight::alerting::{AlertChange, Alerting, EvaluationInput, Transition};
    use crosstail_core::filter::Context;
    use crosstail_core::model::{Activity, Id, Names, Status};

    const START: Timestamp = Timestamp(1_790_000_000_000_000);
    const MINUTE_US: i64 = 60_000_000;

    fn rule(measure: &str) -> Rule {
        let text = format!(
            "name = \"{measure}\"\nseverity = \"warning\"\nwhen = \">= 2\"\nwindow = \"1h\"\n[activities]\nmeasure = \"{measure}\"\n"
        );
        Rule::from_toml(&text, "r.toml").expect("good").1.expect("on")
    }

    struct World {
        alerting: Alerting,
        store: Store,
        now: Timestamp,
        count: u32,
    }

    impl World {
        fn new() -> Self {
            let alerting = Alerting::new(vec![rule("new_group"), rule("back_again")]);
            Self { alerting, store: Store::new(Names::default()), now: START, count: 0 }
        }

        /// With what the stores know: what Zoho says was last two hours ago, what Tally says three days ago.
        fn knowing() -> Self {
            let mut world = Self::new();
            let until = world.alerting.request_known_failures(START).expect("asked");
            assert_eq!(until, START.plus_us(-HOUR_US));
            assert_eq!(world.alerting.request_known_failures(START), None, "asked once");
            let seen = |system: &str, text: &str, hours: i64| {
                let at = START.plus_us(-hours * HOUR_US);
                let (system, kind, text) = (Some(system.into()), "503".into(), text.to_owned());
                Seen { system, endpoint: Some("/po".into()), kind, frame: None, text, first: at, last: at }
            };
            let seen = vec![seen("Zoho", "busy", 2), seen("Tally", "no ledger <*>", 72)];
            let known = KnownFailures { seen, known_from: until.plus_us(-DAYS * DAY_US), begins: None, is_final: true };
            world.alerting.set_known_failures(until, Some(&known));
            world
        }

        fn fail(&mut self, system: &str, says: &str) {
            self.fail_for(system, says, None);
        }

        fn fail_for(&mut self, system: &str, says: &str, of: Option<(u32, &str)>) {
            self.count += 1;
            let mut a = Activity::new(Id::Uuid(self.count.into()), self.now);
            (a.status, a.http_status, a.system) = (Some(Status::Failed), Some(503), Some(system.into()));
            (a.endpoint, a.error) = (Some("/po".into()), Some(says.into()));
            (a.entity, a.organization) = (of.map(|of| format!("PO {}", of.0).into()), of.map(|of| of.1.into()));
            self.store.ingest(vec![a]);
        }

        /// A minute goes by: rule, what happened, group and reason of each change.
        fn go(&mut self) -> Vec<(String, Transition, String)> {
            self.now = self.now.plus_us(MINUTE_US);
            let context = Context { now: self.now, ..Context::default() };
            let (until, held_from, sources) = (Timestamp(i64::MAX), Timestamp(i64::MIN), Vec::new());
            let seen = EvaluationInput { context, store: &self.store, until, held_from, sources };
            let changes = self.alerting.evaluate(&seen);
            let told = |change: AlertChange| {
                let group = super::super::group_text(&change.alert.group);
                (change.alert.rule, change.transition, format!("{group} | {}", change.alert.reason))
            };
            changes.into_iter().map(told).collect()
        }
    }

    #[test]
    fn each_group_that_is_new_or_back_again_fires_once() {
        let mut world = World::knowing();
        for order in [17, 18] {
            world.fail_for("SAP", &format!("order {order} refused"), Some((order, "org-1")));
            world.fail("Zoho", "busy");
            world.fail("Tally", "no ledger 9");
        }
        let told = world.go();
        let said: Vec<(&str, &str)> = told.iter().map(|(rule, _, said)| (rule.as_str(), said.as_str())).collect();
        let group = "SAP /po 503: order <*> refused";
        let new = format!("{group} | {group}: 2 in 1 h, not in the 14 days before · 2 entities · 1 organisation");
        let group = "Tally /po 503: no ledger <*>";
        let back = format!("{group} | {group}: 2 in 1 h, after 3 days of silence");
        assert_eq!(said, [("new_group", new.as_str()), ("back_again", back.as_str())]);
        // The filter opens them.
        let filter = world.alerting.alerts.active[0].filter.clone();
        let context = Context { now: world.now, ..Context::default() };
        let (_, predicate) = crosstail_core::filter::Filter::compile(&filter, &context).expect("a filter");
        assert_eq!(world.store.matching(world.store.all_rows(), predicate).len(), 2, "{filter}");
        // It goes on for hours, and is told once; a word that varies gives it no other name.
        for minute in 0..180 {
            let names = ["ann", "bob", "cyrus", "dora", "emil", "fritz", "greta"];
            world.fail("SAP", &format!("order 17 refused by {}", names[minute % names.len()]));
            world.fail("SAP", "order 18 refused");
            let told = world.go();
            let about_sap = told.iter().filter(|(_, turn, said)| *turn == Transition::Firing && said.contains("SAP"));
            // What is refused by somebody is another group: it is told under the first name that it had.
            assert!(
                about_sap.count() <= 1 && (minute < 8 || told.iter().all(|(_, _, said)| !said.contains("SAP"))),
                "{told:?}"
            );
        }
        let firing: Vec<String> = world.alerting.alerts.firing().map(|a| super::super::group_text(&a.group)).collect();
        assert!(firing.contains(&"SAP /po 503: order <*> refused".to_owned()), "{firing:?}");
        // It ends: resolved once it is silent for the window, and not new when it comes again on the same day.
        let mut turns = Vec::new();
        for _ in 0..70 {
            turns.extend(world.go().into_iter().map(|(_, turn, _)| turn));
        }
        assert!(!turns.is_empty() && turns.iter().all(|turn| *turn == Transition::Resolved), "{turns:?}");
        for _ in 0..3 {
            world.fail("SAP", "order 19 refused");
            assert_eq!(world.go(), []);
        }
    }

    /// In a store of three hours, everything has begun of late.
    #[test]
    fn what_has_begun_with_the_stores_is_not_new() {
        let mut world = World::new();
        let until = world.alerting.request_known_failures(START).expect("asked");
        let begins = START.plus_us(-3 * HOUR_US);
        let known = KnownFailures { seen: Vec::new(), known_from: begins, begins: Some(begins), is_final: true };
        world.alerting.set_known_failures(until, Some(&known));
        world.now = begins.plus_us(MINUTE_US);
        for _ in 0..50 {
            world.fail("SAP", "order 17 refused");
            world.fail("SAP", "order 18 refused");
            assert_eq!(world.go(), []);
        }
        world.now = START;
        for _ in 0..2 {
            world.fail("Zoho", "busy");
        }
        let told = world.go();
        let said: Vec<&str> = told.iter().map(|(_, _, said)| said.as_str()).collect();
        assert_eq!(said, ["Zoho /po 503: busy | Zoho /po 503: busy: 2 in 1 h, not in the 3 hours before"]);
    }

    #[test]
    fn nothing_is_new_before_it_is_known_what_was() {
        let mut world = World::new();
        for _ in 0..3 {
            world.fail("SAP", "order 17 refused");
            assert_eq!(world.go(), []);
        }
        // The stores could not be read: it is asked again, and nothing is told meanwhile.
        let until = world.alerting.request_known_failures(world.now).expect("asked");
        let nothing = KnownFailures { seen: Vec::new(), known_from: until, begins: None, is_final: false };
        world.alerting.set_known_failures(until, Some(&nothing));
        assert_eq!(world.go(), []);
        world.now = world.now.plus_us(MINUTE_US);
        let until = world.alerting.request_known_failures(world.now).expect("asked again");
        let known = KnownFailures { known_from: until.plus_us(-DAYS * DAY_US), is_final: true, ..nothing };
        world.alerting.set_known_failures(until, Some(&known));
        assert_eq!(world.go().len(), 1);
        world.now = world.now.plus_us(HOUR_US);
        assert_eq!(world.alerting.request_known_failures(world.now), None, "everything is known");
    }
}

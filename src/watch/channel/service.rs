//! What each service wants to be sent.

use super::super::notification::Notification;
use crosstail_engine::insight::alerting::{Alert, Severity, Transition, described, group_text};
use serde_json::{Map, Value, json};

/// A receiver of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Slack's incoming webhook.
    Slack,
    /// A workflow of Microsoft Teams that posts what a webhook gets.
    Teams,
    /// Discord's webhook.
    Discord,
    /// A topic of ntfy.
    Ntfy,
    /// `PagerDuty`'s Events API, version 2.
    PagerDuty,
    /// Opsgenie's Alert API, which Jira Service Management has, too.
    Opsgenie,
    /// Anything else: the notification as it is.
    Webhook,
}

/// One request.
pub(super) struct Post {
    pub(super) url: reqwest::Url,
    pub(super) headers: Vec<(&'static str, String)>,
    /// A repetition of it has the same, and no other request does.
    pub(super) id: String,
    pub(super) body: Value,
}

impl Service {
    /// Each with its name in the configuration.
    pub const ALL: [(&str, Self); 7] = [
        ("slack", Self::Slack),
        ("teams", Self::Teams),
        ("discord", Self::Discord),
        ("ntfy", Self::Ntfy),
        ("pagerduty", Self::PagerDuty),
        ("opsgenie", Self::Opsgenie),
        ("webhook", Self::Webhook),
    ];

    /// The service of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, service)| *service)
    }

    /// The address, where it is the same for everybody. Accounts in Europe have others, which `url` names.
    pub(super) const fn address(self) -> Option<&'static str> {
        match self {
            Self::PagerDuty => Some("https://events.pagerduty.com/v2/enqueue"),
            Self::Opsgenie => Some("https://api.opsgenie.com"),
            _ => None,
        }
    }

    /// Whether it follows each alert to its resolution.
    pub(super) const fn follows_alerts(self) -> bool {
        matches!(self, Self::PagerDuty | Self::Opsgenie)
    }

    /// Whether it takes nothing without a key.
    pub(super) const fn needs_key(self) -> bool {
        matches!(self, Self::PagerDuty | Self::Opsgenie)
    }

    /// The requests of a notification: one, or one an alert where the service follows each alert to its resolution.
    pub(super) fn posts(
        self,
        notification: &Notification,
        url: &reqwest::Url,
        key: Option<&str>,
    ) -> Result<Vec<Post>, String> {
        let bearer = key.map(|key| ("Authorization", format!("Bearer {key}")));
        let whole = || notification.id.clone();
        let of_alert = |alert: &Alert| {
            let name = format!("{} {}", notification.id, alert.id);
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
        };
        let one =
            |body| vec![Post { url: url.clone(), headers: bearer.clone().into_iter().collect(), id: whole(), body }];
        Ok(match self {
            Self::Slack => one(slack(notification)),
            Self::Teams => one(teams(notification)),
            Self::Discord => one(discord(notification)),
            Self::Webhook => one(serde_json::to_value(notification).map_err(|error| error.to_string())?),
            Self::Ntfy => {
                let (url, body) = ntfy(notification, url)?;
                vec![Post { url, headers: bearer.into_iter().collect(), id: whole(), body }]
            }
            Self::PagerDuty => {
                let of = |alert| pagerduty(notification, alert, key.unwrap_or_default());
                let post = |alert| Post { url: url.clone(), headers: Vec::new(), id: of_alert(alert), body: of(alert) };
                notification.alerts.iter().map(post).collect()
            }
            Self::Opsgenie => {
                let headers = vec![("Authorization", format!("GenieKey {}", key.unwrap_or_default()))];
                let post = |alert| {
                    let (url, body) = opsgenie(notification, alert, url)?;
                    Ok(Post { url, headers: headers.clone(), id: of_alert(alert), body })
                };
                notification.alerts.iter().map(post).collect::<Result<_, String>>()?
            }
        })
    }
}

/// As much of a text as a service takes, in characters.
fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Slack's message as HaloPSA builds it (docs/reference/halopsa.md): a headline, and an attachment with the severity's
/// colour.
fn slack(notification: &Notification) -> Value {
    let (sign, color) = match (notification.transition, notification.severity) {
        (Transition::Resolved, _) => ("✅", "good"),
        (Transition::Firing, Severity::Critical) => ("🚨", "danger"),
        (Transition::Firing, Severity::Warning) => ("🚨", "warning"),
        (Transition::Firing, Severity::Info) => ("ℹ️", "good"),
    };
    // Escapes of Slack's markup (https://api.slack.com/reference/surfaces/formatting#escaping).
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let reasons = notification.reasons().iter().map(|reason| escaped(reason)).collect::<Vec<_>>().join("\n");
    json!({
        "text": format!("{sign} *{}*", escaped(&notification.headline())),
        "attachments": [{
            "color": color,
            "fields": [
                { "title": "Severity", "value": notification.severity.as_str(), "short": true },
                { "title": "Description", "value": reasons, "short": false },
                { "title": "Time", "value": notification.at.rfc3339(), "short": true },
            ],
        }],
    })
}

/// An adaptive card (<https://adaptivecards.io>), which is what a workflow of Teams posts. Texts are runs, which have no
/// markup: a name in a log cannot become a link.
fn teams(notification: &Notification) -> Value {
    let colour = match (notification.transition, notification.severity) {
        (Transition::Resolved, _) => "Good",
        (Transition::Firing, Severity::Critical) => "Attention",
        (Transition::Firing, Severity::Warning) => "Warning",
        (Transition::Firing, Severity::Info) => "Accent",
    };
    let run = |text: &str, more: Value| {
        let mut run = json!({"type": "TextRun", "text": text});
        if let (Some(run), Value::Object(more)) = (run.as_object_mut(), more) {
            run.extend(more);
        }
        json!({"type": "RichTextBlock", "inlines": [run]})
    };
    let mut body = vec![run(&notification.headline(), json!({"weight": "Bolder", "size": "Medium", "color": colour}))];
    body.extend(notification.reasons().iter().map(|reason| run(reason, json!({}))));
    body.push(run(
        &format!("{} · {}", notification.severity.as_str(), notification.at.rfc3339()),
        json!({"isSubtle": true, "size": "Small"}),
    ));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": body,
            },
        }],
    })
}

/// An embed (<https://discord.com/developers/docs/resources/webhook#execute-webhook>) that mentions nobody.
fn discord(notification: &Notification) -> Value {
    let colour = match (notification.transition, notification.severity) {
        (Transition::Resolved, _) => 0x2E_A0_43,
        (Transition::Firing, Severity::Critical) => 0xD7_3A_49,
        (Transition::Firing, Severity::Warning) => 0xE3_B3_41,
        (Transition::Firing, Severity::Info) => 0x38_8B_FD,
    };
    let plain = |text: &str| {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '[' | ']' | '(' | ')' | '#' | '<' | '@') {
                out.push('\\');
            }
            out.push(c);
        }
        out
    };
    let reasons = notification.reasons().iter().map(|reason| plain(reason)).collect::<Vec<_>>().join("\n");
    json!({
        "username": "crosstail",
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": short(&plain(&notification.headline()), 256),
            "description": short(&reasons, 4096),
            "color": colour,
            "timestamp": notification.at.rfc3339(),
            "footer": {"text": notification.severity.as_str()},
        }],
    })
}

/// A message (<https://docs.ntfy.sh/publish/#publish-as-json>), which goes to the server's root and names its topic.
fn ntfy(notification: &Notification, url: &reqwest::Url) -> Result<(reqwest::Url, Value), String> {
    let mut server = url.clone();
    let topic = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    if topic.is_empty() {
        return Err("the address has no topic: https://ntfy.sh/TOPIC".to_owned());
    }
    if let Ok(mut path) = server.path_segments_mut() {
        path.pop();
    }
    let (priority, tag) = match (notification.transition, notification.severity) {
        (Transition::Resolved, _) => (3, "white_check_mark"),
        (Transition::Firing, Severity::Critical) => (5, "rotating_light"),
        (Transition::Firing, Severity::Warning) => (4, "warning"),
        (Transition::Firing, Severity::Info) => (3, "information_source"),
    };
    let body = json!({
        "topic": topic,
        "title": short(&notification.headline(), 250),
        // A message of over 4,096 bytes would become an attachment.
        "message": short(&notification.reasons().join("\n"), 1000),
        "priority": priority,
        "tags": [tag],
    });
    Ok((server, body))
}

/// The facts of an alert, for those who look closer.
fn details(alert: &Alert) -> Map<String, Value> {
    let mut details: Map<String, Value> =
        alert.group.iter().map(|(name, value)| (name.clone(), json!(short(value, 250)))).collect();
    details.insert("rule".to_owned(), json!(alert.rule));
    details.insert("since".to_owned(), json!(alert.since.rfc3339()));
    details.insert("filter".to_owned(), json!(short(&alert.filter, 1000)));
    details
}

/// An event (<https://developer.pagerduty.com/docs/events-api-v2-overview>). The alert's id is the key by which `PagerDuty`
/// knows repetitions and the resolution.
fn pagerduty(notification: &Notification, alert: &Alert, key: &str) -> Value {
    let action = match notification.transition {
        Transition::Firing => "trigger",
        Transition::Resolved => "resolve",
    };
    let severity = match alert.severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let group = group_text(&alert.group);
    let mut details = details(alert);
    details.insert("reason".to_owned(), json!(alert.reason));
    json!({
        "routing_key": key,
        "event_action": action,
        "dedup_key": alert.id,
        "client": "crosstail",
        "payload": {
            "summary": short(&format!("{}: {}", alert.title, described(&alert.group, &alert.reason)), 1024),
            "source": if group.is_empty() { "crosstail" } else { &group },
            "severity": severity,
            "timestamp": notification.at.rfc3339(),
            "class": alert.rule,
            "custom_details": details,
        },
    })
}

/// An alert, or its end (<https://docs.opsgenie.com/docs/alert-api>). The alert's id is its alias, by which Opsgenie knows
/// repetitions and which one is closed.
fn opsgenie(notification: &Notification, alert: &Alert, url: &reqwest::Url) -> Result<(reqwest::Url, Value), String> {
    let mut to = url.clone();
    {
        let mut path = to.path_segments_mut().map_err(|()| "the address is not one of a server".to_owned())?;
        path.pop_if_empty().extend(["v2", "alerts"]);
        if notification.transition == Transition::Resolved {
            path.extend([alert.id.as_str(), "close"]);
        }
    }
    if notification.transition == Transition::Resolved {
        to.query_pairs_mut().append_pair("identifierType", "alias");
        return Ok((to, json!({"source": "crosstail", "note": short(&alert.reason, 1000)})));
    }
    let priority = match alert.severity {
        Severity::Critical => "P1",
        Severity::Warning => "P3",
        Severity::Info => "P5",
    };
    let group = group_text(&alert.group);
    let body = json!({
        "message": short(&format!("{}: {group}", alert.title), 130),
        "alias": alert.id,
        "description": short(&alert.reason, 15_000),
        "priority": priority,
        "source": "crosstail",
        "entity": short(&group, 512),
        "details": details(alert),
    });
    Ok((to, body))
}

#[cfg(test)]
mod tests {
    use super::super::super::notification::tests::changes;
    use super::*;
    use crosstail_core::model::Timestamp;

    fn first(turn: Transition, change: impl FnOnce(&mut Notification)) -> Notification {
        let mut first = Notification::of(changes(turn), Timestamp(0)).swap_remove(0);
        change(&mut first);
        first
    }

    fn posts(service: Service, notification: &Notification, url: &str) -> Vec<Post> {
        let url = reqwest::Url::parse(url).expect("a URL");
        service.posts(notification, &url, Some("the-key")).expect("posts")
    }

    #[test]
    fn the_group_is_named_once() {
        let notification = first(Transition::Firing, |notification| {
            notification.alerts[0].reason = "SAP: 2 in 1 h, not in the 14 days before".to_owned();
            notification.alerts[1].reason = "12 of 30 failed".to_owned();
        });
        let events = posts(Service::PagerDuty, &notification, "https://events.example/");
        let summaries: Vec<&Value> = events.iter().map(|post| &post.body["payload"]["summary"]).collect();
        let expected =
            ["High error rate: SAP: 2 in 1 h, not in the 14 days before", "High error rate: Zoho: 12 of 30 failed"];
        assert_eq!(summaries, expected);
    }

    #[test]
    fn pagers_get_each_alert_by_its_key_and_its_end() {
        for (turn, action) in [(Transition::Firing, "trigger"), (Transition::Resolved, "resolve")] {
            let notification = first(turn, |_| {});
            let events = posts(Service::PagerDuty, &notification, "https://events.example/v2/enqueue");
            let keys: Vec<&Value> = events.iter().map(|post| &post.body["dedup_key"]).collect();
            assert_eq!(keys, ["A SAP", "A Zoho"]);
            assert!(events.iter().all(|post| post.body["event_action"] == action));
            assert_eq!(events[0].body["routing_key"], "the-key");
            assert!(events[0].body["payload"]["summary"].as_str().is_some_and(|text| text.contains("SAP")));
            // Whoever has taken the first of them has not taken the second.
            assert_ne!(events[0].id, events[1].id);
            assert_eq!(events[0].id, posts(Service::PagerDuty, &notification, "https://events.example/")[0].id);
            let alerts = posts(Service::Opsgenie, &notification, "https://api.example/");
            let paths: Vec<&str> = alerts.iter().map(|post| post.url.path()).collect();
            assert_eq!(alerts[0].headers, [("Authorization", "GenieKey the-key".to_owned())]);
            match turn {
                Transition::Firing => {
                    assert_eq!(paths, ["/v2/alerts", "/v2/alerts"]);
                    assert_eq!(
                        (&alerts[1].body["alias"], &alerts[1].body["priority"]),
                        (&json!("A Zoho"), &json!("P3"))
                    );
                }
                Transition::Resolved => {
                    assert_eq!(paths, ["/v2/alerts/A%20SAP/close", "/v2/alerts/A%20Zoho/close"]);
                    assert_eq!(alerts[0].url.query(), Some("identifierType=alias"));
                }
            }
        }
    }

    #[test]
    fn chats_show_names_of_logs_as_they_are() {
        let hostile = "[pay](https://evil.example) @everyone **SAP** <!here>";
        let notification = first(Transition::Firing, |one| one.alerts[0].group[0].1 = hostile.to_owned());
        let card = &posts(Service::Teams, &notification, "https://teams.example/hook")[0].body;
        let content = &card["attachments"][0]["content"];
        assert_eq!(content["body"][0]["inlines"][0]["type"], "TextRun");
        assert!(content["body"][0]["inlines"][0]["text"].as_str().is_some_and(|text| text.contains(hostile)));
        let embed = &posts(Service::Discord, &notification, "https://discord.example/hook")[0].body;
        assert_eq!(embed["allowed_mentions"], json!({"parse": []}));
        let title = embed["embeds"][0]["title"].as_str().expect("a title");
        assert!(title.contains(r"\[pay\]\(") && title.contains(r"\@everyone \*\*SAP"), "{title}");
        let slack = &posts(Service::Slack, &notification, "https://slack.example/hook")[0].body;
        assert!(slack["text"].as_str().is_some_and(|text| text.contains("&lt;!here&gt;")), "{slack}");
    }

    #[test]
    fn a_topic_is_named_in_the_message() {
        let notification = first(Transition::Firing, |_| {});
        let post = posts(Service::Ntfy, &notification, "https://ntfy.example/base/on-call").swap_remove(0);
        assert_eq!((post.url.as_str(), &post.body["topic"]), ("https://ntfy.example/base", &json!("on-call")));
        assert_eq!((&post.body["priority"], &post.headers[0].1), (&json!(4), &"Bearer the-key".to_owned()));
        let root = reqwest::Url::parse("https://ntfy.example/").expect("a URL");
        assert!(Service::Ntfy.posts(&notification, &root, None).is_err());
    }

    #[test]
    fn no_text_is_longer_than_a_service_takes() {
        let long = "é".repeat(20_000);
        let notification = first(Transition::Firing, |one| {
            (one.title, one.alerts[0].title, one.alerts[0].reason) = (long.clone(), long.clone(), long.clone());
        });
        let of = |service, url: &str| posts(service, &notification, url)[0].body.clone();
        let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        let event = of(Service::PagerDuty, "https://a.example/");
        assert_eq!(length(&event["payload"]["summary"]), 1024);
        let alert = of(Service::Opsgenie, "https://a.example/");
        assert_eq!((length(&alert["message"]), length(&alert["description"])), (130, 15_000));
        let embed = of(Service::Discord, "https://a.example/");
        assert_eq!((length(&embed["embeds"][0]["title"]), length(&embed["embeds"][0]["description"])), (256, 4096));
        let message = of(Service::Ntfy, "https://a.example/t");
        assert!(length(&message["message"]) <= 1000 && length(&message["title"]) <= 250);
    }
}

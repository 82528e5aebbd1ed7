//! A recorded request as one that can be sent again: as it was, with secrets from elsewhere, since recorded ones are redacted.

use crosstail_core::model::{
    Activity, Direction, FinalOutcome, Payload, REDACTED, Status, is_secret_field, redact_text,
};
use serde_json::Value;

/// Headers of one connection or of the message as it was sent: whoever sends it again makes them anew.
const OWN: [&str; 10] = [
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "accept-encoding",
];

/// The header by which the new request is found again.
pub const REQUEST_ID: &str = "X-Request-Id";
/// The header that says what it is a repetition of.
pub const RESEND_OF: &str = "X-Resend-Of";

/// Where secrets for a host come from: names of headers, and the environment variables with their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendSecrets {
    /// `host` or `host:port`, as in the address.
    pub host: String,
    pub headers: Vec<(String, String)>,
}

/// The value of a header that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderSource {
    Recorded(String),
    /// The environment variable with this name.
    Variable(String),
}

/// A request that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resend {
    /// Id of the activity that it repeats, as text.
    pub of: String,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, HeaderSource)>,
    pub body: Option<String>,
    /// Whether somebody has changed the body.
    pub is_edited: bool,
}

/// Why an operation is not sent again unless somebody insists: to send it would do it twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It has not failed.
    Succeeded,
    /// A later attempt succeeded.
    Recovered,
    /// Its next attempt is due.
    Waiting,
    /// An attempt is in progress.
    Running,
    /// It was sent again from here, and the receiver took it.
    SentAgain,
    /// It was sent again from here, and nobody knows whether it arrived.
    MayHaveArrived,
    /// A source that may know of later attempts has failed, with this error.
    Unknown(String),
}

impl Held {
    /// What became of an operation, and of its last attempt, say.
    pub const fn of(outcome: Option<FinalOutcome>, last: Option<Status>) -> Option<Self> {
        match (outcome, last) {
            (Some(FinalOutcome::Recovered { .. }), _) => Some(Self::Recovered),
            (Some(FinalOutcome::Waiting(_)), _) => Some(Self::Waiting),
            (Some(FinalOutcome::Running), _) | (None, Some(Status::InProgress)) => Some(Self::Running),
            (None, Some(Status::Success)) => Some(Self::Succeeded),
            (Some(FinalOutcome::GivenUp | FinalOutcome::Unknown) | None, _) => None,
        }
    }

    /// Name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Recovered => "recovered",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::SentAgain => "sent_again",
            Self::MayHaveArrived => "may_have_arrived",
            Self::Unknown(_) => "unknown",
        }
    }

    /// For people: what follows `left out:`.
    pub fn words(&self) -> String {
        match self {
            Self::Succeeded => "it succeeded".to_owned(),
            Self::Recovered => "a later try succeeded".to_owned(),
            Self::Waiting => "its next try is due".to_owned(),
            Self::Running => "a try is in progress".to_owned(),
            Self::SentAgain => "it was sent again before, and taken".to_owned(),
            Self::MayHaveArrived => "it was sent again before, and may have arrived".to_owned(),
            Self::Unknown(problem) => format!("whether a later try succeeded is not known: {problem}"),
        }
    }
}

impl Resend {
    /// The request of an activity, with secrets for its host; with another body, if one is given.
    ///
    /// # Errors
    /// It is no outgoing call, or something of it is not known; for people.
    pub fn of(
        activity: &Activity,
        payload: &Payload,
        secrets: &[SendSecrets],
        changed: Option<&str>,
    ) -> Result<Self, String> {
        if activity.direction != Direction::Out {
            return Err("it was not sent from here: only outgoing calls and deliveries can be sent again".to_owned());
        }
        let method = activity.method.as_deref().ok_or("its method was not recorded")?;
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err("its method is none of HTTP".to_owned());
        }
        let url = activity.url.as_deref().ok_or("its address was not recorded")?;
        let host = host(url).ok_or("its address is none of http or https")?;
        if url.contains(REDACTED) || redact_text(url) != url {
            return Err("its address has a secret in it, which is not sent from here".to_owned());
        }
        let of_host = secrets.iter().find(|known| known.host.eq_ignore_ascii_case(host));
        let mut headers = Vec::new();
        for (name, value) in recorded(payload) {
            let lower = name.to_ascii_lowercase();
            if OWN.contains(&lower.as_str())
                || [REQUEST_ID, RESEND_OF].iter().any(|own| own.eq_ignore_ascii_case(&name))
            {
                continue;
            }
            let variable = of_host.and_then(|known| {
                known
                    .headers
                    .iter()
                    .find(|(header, _)| header.eq_ignore_ascii_case(&name))
                    .map(|(_, variable)| variable)
            });
            let is_secret = value.contains(REDACTED) || is_secret_field(&name, &value) || redact_text(&value) != value;
            headers.push(match variable {
                Some(variable) => (name, HeaderSource::Variable(variable.clone())),
                None if is_secret => {
                    return Err(format!(
                        "the header {name} is a secret; name the variable that has it for {host} in a [[send]]"
                    ));
                }
                None => (name, HeaderSource::Recorded(value)),
            });
        }
        for (header, variable) in of_host.iter().flat_map(|known| &known.headers) {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header)) {
                headers.push((header.clone(), HeaderSource::Variable(variable.clone())));
            }
        }
        let recorded = payload.request.body.as_ref();
        let body = match recorded.filter(|_| changed.is_none()) {
            _ if changed.is_some() => changed.map(str::to_owned),
            Some(body) if body.truncation.is_some() => return Err("its body was cut when it was recorded".to_owned()),
            Some(body) => Some(body.text().to_owned()),
            None if matches!(&*method.to_ascii_uppercase(), "GET" | "HEAD" | "DELETE" | "OPTIONS") => None,
            None => return Err(payload.why_absent(crosstail_core::model::PayloadPart::RequestBody)),
        };
        if body.as_deref().is_some_and(|body| body.contains(REDACTED)) {
            return Err("its body was recorded without its secrets; write them into a changed body".to_owned());
        }
        let (of, method, url) = (activity.id.to_string(), method.to_ascii_uppercase(), url.to_owned());
        let is_edited = changed.is_some_and(|changed| recorded.map(crosstail_core::model::Body::text) != Some(changed));
        Ok(Self { of, method, url, headers, body, is_edited })
    }

    /// The host that it goes to, with its port if one is named.
    pub fn host(&self) -> &str {
        host(&self.url).unwrap_or_default()
    }
}

/// The host of an address, with its port if one is named.
fn host(url: &str) -> Option<&str> {
    let rest = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = &rest[..end];
    // Whoever is named in it would be sent a password.
    (!host.is_empty() && !host.contains('@')).then_some(host)
}

/// The recorded headers, each as often as it stood there.
fn recorded(payload: &Payload) -> Vec<(String, String)> {
    let fields = payload.request.headers.as_ref().and_then(Value::as_object);
    let mut all = Vec::new();
    for (name, value) in fields.into_iter().flatten() {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match value {
            Value::Null => {}
            Value::Array(values) => all.extend(values.iter().map(|value| (name.clone(), text(value)))),
            value => all.push((name.clone(), text(value))),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Body, Id, Timestamp};
    use serde_json::json;

    fn call() -> (Activity, Payload) {
        let mut activity = Activity::new(Id::parse("a-1"), Timestamp(0));
        activity.direction = Direction::Out;
        activity.method = Some("post".into());
        activity.url = Some("https://sap.example:8443/po/create?x=1".into());
        let mut payload = Payload::default();
        payload.request.headers = Some(json!({
            "Authorization": "Bearer [REDACTED]", "Content-Type": "application/json", "Host": "sap.example",
            "X-Request-Id": "old", "Idempotency-Key": "k-1", "Content-Length": "12", "X-Many": ["a", "b"],
        }));
        payload.request.body = Some(Body::from_text(r#"{"po": 1}"#));
        (activity, payload)
    }

    #[test]
    fn a_request_is_as_it_was_with_secrets_from_variables() {
        let (activity, payload) = call();
        let secrets = |host: &str| {
            vec![SendSecrets {
                host: host.to_owned(),
                headers: vec![("authorization".to_owned(), "SAP_TOKEN".to_owned())],
            }]
        };
        let request = Resend::of(&activity, &payload, &secrets("sap.example:8443"), None).expect("a request");
        assert_eq!((request.method.as_str(), request.body.as_deref()), ("POST", Some(r#"{"po": 1}"#)));
        let recorded = |text: &str| HeaderSource::Recorded(text.to_owned());
        assert_eq!(
            request.headers,
            [
                ("Authorization".to_owned(), HeaderSource::Variable("SAP_TOKEN".to_owned())),
                ("Content-Type".to_owned(), recorded("application/json")),
                ("Idempotency-Key".to_owned(), recorded("k-1")),
                ("X-Many".to_owned(), recorded("a")),
                ("X-Many".to_owned(), recorded("b")),
            ]
        );
        // A secret goes to its own host only.
        let error = Resend::of(&activity, &payload, &secrets("sap.example"), None).expect_err("another port");
        assert!(error.contains("the header Authorization is a secret; name the variable"), "{error}");
        let changed =
            |body| Resend::of(&activity, &payload, &secrets("sap.example:8443"), Some(body)).expect("a request");
        assert!(changed("{}").is_edited && !changed(r#"{"po": 1}"#).is_edited);
    }

    #[test]
    fn what_is_not_known_is_not_sent() {
        let wrong = |change: &dyn Fn(&mut Activity, &mut Payload), why: &str| {
            let (mut activity, mut payload) = call();
            payload.request.headers = Some(json!({ "Accept": "*/*" }));
            change(&mut activity, &mut payload);
            let error = Resend::of(&activity, &payload, &[], None).expect_err(why);
            assert!(error.contains(why), "{error}");
        };
        wrong(&|activity, _| activity.direction = Direction::In, "not sent from here");
        wrong(&|activity, _| activity.method = None, "method was not recorded");
        wrong(&|activity, _| activity.method = Some("PO ST".into()), "none of HTTP");
        wrong(&|activity, _| activity.url = None, "address was not recorded");
        wrong(&|activity, _| activity.url = Some("/po/create".into()), "none of http");
        wrong(&|activity, _| activity.url = Some("https://me:pw@sap.example/x".into()), "none of http");
        wrong(&|activity, _| activity.url = Some("https://a.example/?token=[REDACTED]".into()), "a secret in it");
        wrong(&|_, payload| payload.request.body = None, "request body");
        wrong(
            &|_, payload| payload.request.body = Some(Body::from_text(r#"{"pin": "[REDACTED]"}"#)),
            "without its secrets",
        );
        let cut = r#"{"_truncated": {"original_bytes": 10, "stored_bytes": 5}}"#;
        wrong(&|_, payload| payload.request.body = Some(Body::from_text(cut)), "was cut");
    }
}

//! Secrets of every shipped rule, made for tests, each in a text that says what it is.

use super::rules::{SHIPPED, Shipped, entropy};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

/// A secret of a rule.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The rule of `config/redaction.toml`.
    pub rule: String,
    /// What a log would say.
    pub text: String,
    /// What is to be hidden of it.
    pub secret: String,
}

/// Draws at most until a secret is one: random texts may be too even for a rule, and may end in what ends them.
const DRAWS: usize = 400;

/// The pattern of a rule's first group, which is what is secret.
fn secret_pattern(pattern: &str) -> &str {
    let opens = pattern
        .match_indices('(')
        .find(|(at, _)| !pattern[at + 1..].starts_with('?') && !pattern[..*at].ends_with('\\'));
    let (start, _) = opens.expect("a group");
    let mut depth = 0;
    for (at, c) in pattern[start..].char_indices() {
        let escaped = pattern[..start + at].ends_with('\\');
        depth += i32::from(c == '(' && !escaped) - i32::from(c == ')' && !escaped);
        if depth == 0 {
            return &pattern[start + 1..start + at];
        }
    }
    pattern
}

/// What stands around a secret that is none by its form alone.
fn context(id: &str) -> &'static str {
    match id {
        "aws-secret-key" => "aws credentials @",
        "twilio-secret" => "twilio auth token @",
        "hubspot-key" => "hubspot api key @",
        "okta-token" => "SSWS @",
        "datadog-key" => "datadog api key @",
        "slack-webhook" => "https://hooks.slack.com/services/@",
        "discord-webhook" => "https://discord.com/api/webhooks/@",
        "discord-token" => "discord bot @",
        "teams-webhook" => "https://a.webhook.office.com/webhookb2/@",
        "zapier-or-make-webhook" => "https://hooks.zapier.com/hooks/catch/@",
        "password-in-prose" => "the password was @",
        "key-in-prose" => "Api key: @",
        "curl-user" => "curl -s -u ann:@ https://h",
        "password-of-a-command" => "sshpass -p @ ssh h",
        "password-of-a-statement" => "CREATE USER app IDENTIFIED BY '@'",
        "secure-string" => "ConvertTo-SecureString '@' -AsPlainText",
        "password-of-a-dsn" => "dial app:@@tcp(db:3306)/orders",
        "password-of-oracle" => "jdbc:oracle:thin:scott/@@//db:1521/x",
        "code-in-prose" => "your verification code is @",
        "asana-token" => "asana says @",
        "beamer-key" => "beamer @",
        "codeclimate-reporter" => "CC_TEST_REPORTER_ID: @",
        "facebook-app-token" => "https://graph.facebook.com/me?x=@",
        "gocardless-token" => "gocardless @",
        "jfrog-key" => "artifactory @",
        "pagerduty-key" => "pagerduty @",
        "sidekiq-secret" => "BUNDLE_GEMS__CONTRIBSYS__COM=@",
        "softlayer-key" => "https://api.softlayer.com/rest/v3.1/@",
        "sonar-login" => "-Dsonar.login=@",
        "telegram-bot-token" => "telegram bot @",
        "telnyx-key" => "telnyx @",
        "thingsboard-token" => "https://thingsboard.cloud/api/v1/@",
        "tines-webhook" => "https://a.tines.com/webhook/@",
        "truenas-key" => "auth.login_with_api_key params \"@",
        "private-key" => "-----BEGIN RSA PRIVATE KEY-----@-----END RSA PRIVATE KEY-----",
        _ => "@",
    }
}

/// So many secrets of each rule, the same in every run.
///
/// # Panics
/// A rule has no secrets.
pub fn planted(of_each: usize) -> Vec<Planted> {
    let shipped: Shipped = toml::from_str(SHIPPED).expect("rules");
    let mut runner = TestRunner::deterministic();
    let mut all = Vec::new();
    for rule in &shipped.rule {
        let text = match rule.id.as_str() {
            "private-key" => "[A-Za-z0-9+/]{64,200}",
            "curl-user"
            | "password-of-a-command"
            | "password-of-a-statement"
            | "secure-string"
            | "password-of-a-dsn"
            | "password-of-oracle" => "[A-Za-z0-9!+-]{6,20}[a-z0-9]",
            _ => secret_pattern(&rule.pattern),
        };
        let made = proptest::string::string_regex(text).unwrap_or_else(|error| panic!("{}: {error}", rule.id));
        let before = all.len();
        for _ in 0..DRAWS {
            let secret = made.new_tree(&mut runner).expect("made").current();
            let lacks_digit = rule.digit && !secret.bytes().any(|b| b.is_ascii_digit());
            let ends = |c: char| c.is_ascii_alphanumeric() || c == '=';
            if lacks_digit || entropy(&secret) < rule.entropy || !secret.ends_with(ends) {
                continue;
            }
            all.push(Planted { rule: rule.id.clone(), text: context(&rule.id).replacen('@', &secret, 1), secret });
            if all.len() - before == of_each {
                break;
            }
        }
        assert!(all.len() > before, "no secret of {}", rule.id);
    }
    all
}

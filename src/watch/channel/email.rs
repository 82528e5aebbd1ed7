//! E-mail by SMTP (RFC 5321) with TLS from the start, with STARTTLS, or, if the address asks for it, without encryption.

use super::super::notification::{Notification, without_group};
use crate::config::ChannelEntry;
use anyhow::{Context as _, bail};
use crosstail_engine::insight::alerting::{Severity, Transition, group_text};
use crosstail_export::shell_quote;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use maud::html;

/// A mail server with a sender and recipients.
#[derive(Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// From the configuration: `smtp = "smtps://host"` (TLS from the start), `"smtp://host"` (STARTTLS), `"smtp+plain://host"`.
    pub(super) fn new(entry: &ChannelEntry) -> anyhow::Result<Self> {
        let server = entry.smtp.as_deref().context("smtp is missing: set it to smtps://host or smtp://host:587")?;
        let (scheme, rest) = server.split_once("://").context("smtp: write it as smtps://host or smtp://host:587")?;
        let host = rest.trim_end_matches('/');
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().context("smtp: the port is not a number")?)),
            None => (host, None),
        };
        let mut builder = match scheme {
            "smtps" => AsyncSmtpTransport::<Tokio1Executor>::relay(host)?,
            "smtp" => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host)?,
            "smtp+plain" => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host),
            other => {
                bail!("smtp: no scheme '{other}'; the schemes are smtps, smtp (STARTTLS), smtp+plain (not encrypted)")
            }
        };
        if let Some(path) = entry.ca.as_ref().filter(|_| scheme != "smtp+plain") {
            let pem = std::fs::read(path).with_context(|| format!("ca: {}", path.display()))?;
            let root = Certificate::from_pem(&pem).context("ca: the file contains no PEM certificate")?;
            let parameters = TlsParameters::builder(host.to_owned()).add_root_certificate(root).build()?;
            builder = builder.tls(if scheme == "smtps" { Tls::Wrapper(parameters) } else { Tls::Required(parameters) });
        }
        if let Some(port) = port {
            builder = builder.port(port);
        }
        if let Some(user) = &entry.username {
            if scheme == "smtp+plain" {
                bail!("a password is not sent without encryption: use smtp:// or smtps://");
            }
            let password = entry.password()?.context("password_env, password_file or password_command is missing")?;
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        let mailbox = |key: &str, text: &str| {
            text.parse::<Mailbox>().with_context(|| format!("{key}: '{text}' is not an e-mail address"))
        };
        let from = mailbox("from", entry.from.as_deref().context("from is missing")?)?;
        let to = entry.to.iter().map(|to| mailbox("to", to)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            bail!("to is missing");
        }
        Ok(Self { transport: builder.build(), from, to })
    }

    pub(super) async fn send(&self, notification: &Notification) -> Result<(), String> {
        let message = self.message(notification).map_err(|error| error.to_string())?;
        self.transport.send(message).await.map(drop).map_err(|error| {
            let cause = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source()).last();
            cause.map_or_else(|| error.to_string(), ToString::to_string)
        })
    }

    fn message(&self, notification: &Notification) -> Result<Message, lettre::error::Error> {
        let sign = if notification.transition == Transition::Resolved { "✅" } else { "🚨" };
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(format!("{sign} {}", notification.headline()))
            // The same id for a repetition, so that mail servers recognise it.
            .message_id(Some(format!("<{}@crosstail>", notification.id)));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.multipart(MultiPart::alternative_plain_html(text(notification), page(notification)))
    }
}

fn text(notification: &Notification) -> String {
    let mut text = format!("Severity: {}\nTime: {}\n\n", notification.severity.as_str(), notification.at.rfc3339());
    for alert in &notification.alerts {
        text.push_str(&format!("{}\n  {}\n", group_text(&alert.group), without_group(alert)));
        if !alert.filter.is_empty() {
            text.push_str(&format!("  crosstail --filter {}\n", shell_quote(&alert.filter)));
        }
    }
    text
}

/// The HTML body as HaloPSA builds it (docs/reference/halopsa.md), in the severity's colour.
fn page(notification: &Notification) -> String {
    let colour = match (notification.transition, notification.severity) {
        (Transition::Resolved, _) => "#28a745",
        (Transition::Firing, Severity::Critical) => "#dc3545",
        (Transition::Firing, Severity::Warning) => "#ffc107",
        (Transition::Firing, Severity::Info) => "#17a2b8",
    };
    let page = html! {
        div style="font-family: Arial, sans-serif; max-width: 600px; margin: 0 auto;" {
            h2 style={ "color: " (colour) ";" } { (notification.headline()) }
            p { strong { "Severity:" } " " (notification.severity.as_str()) }
            @for alert in &notification.alerts {
                p { strong { (group_text(&alert.group)) ":" } " " (without_group(alert)) }
            }
            p { strong { "Time:" } " " (notification.at.rfc3339()) }
        }
    };
    page.into_string()
}

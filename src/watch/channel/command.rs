//! A shell command: receives the notification as JSON on standard input, its main facts as environment variables.

use super::super::notification::Notification;
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

pub(super) async fn run(command: &str, notification: &Notification) -> Result<(), String> {
    let text = serde_json::to_string(notification).map_err(|error| error.to_string())?;
    let turn = format!("{:?}", notification.transition).to_lowercase();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("CROSSTAIL_ID", &notification.id)
        .env("CROSSTAIL_TURN", turn)
        .env("CROSSTAIL_RULE", &notification.rule)
        .env("CROSSTAIL_SEVERITY", notification.severity.as_str())
        .env("CROSSTAIL_TITLE", notification.headline())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command need not read its input to accept the notification.
        let _ = stdin.write_all(text.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!("the command failed with {}: {}", output.status, crosstail_core::model::visible_line(last)))
}

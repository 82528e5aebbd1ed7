//! Opens an address in the browser, where there is one: not over SSH, and not without a desktop.

use std::process::{Command, Stdio};

/// The program that opens what it is given as a desktop would.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Whether there is a desktop that would show it to whoever looks at this terminal.
pub fn is_there() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_remote = set("SSH_CONNECTION") || set("SSH_TTY");
    !is_remote && (cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY"))
}

/// Opens an address. It is passed as one argument, and begins with `http`.
///
/// # Errors
/// The program that opens addresses cannot be started.
pub fn open(url: &str) -> std::io::Result<()> {
    let mut child =
        Command::new(OPENER).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // Somebody has to wait for it, or it stays as a zombie.
    std::thread::spawn(move || child.wait());
    Ok(())
}

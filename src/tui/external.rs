//! External programs that use the terminal for a while: an editor, a pager, a command that reads a text.

use super::leavings::Leaving;
use super::terminal;
use crate::effect::{ExternalProgram, Program};
use crosstail_core::model::visible;
use crosstail_export::safe_json_text;
use std::fs::File;
use std::io::{self, BufRead as _, Write as _};
use std::process::{Command, ExitStatus, Stdio};

/// Runs the program until it ends; returns a notice if it could not be run, or failed.
pub fn run(outside: &ExternalProgram) -> Option<String> {
    let text =
        if outside.ending == "json" { safe_json_text(&outside.text) } else { visible(&outside.text).into_owned() };
    let lent = terminal::release();
    let done = match &outside.program {
        Program::Pipe(command) => pipe(command, &text),
        Program::Editor => open(r#"eval "${VISUAL:-${EDITOR:-vi}} \"\$1\"""#, &text, outside.ending),
        Program::Pager => open(r#"eval "${PAGER:-less} \"\$1\"""#, &text, outside.ending),
    };
    drop(lent);
    match done {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("the program failed with {status}")),
        Err(error) => Some(format!("cannot run the program: {error}")),
    }
}

/// Opens a temporary file in a program. Only this user can read the file, and it is removed afterwards.
fn open(program: &str, text: &str, ending: &str) -> io::Result<ExitStatus> {
    let mut file = tempfile::Builder::new().prefix("crosstail-").suffix(&format!(".{ending}")).tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    let _leaving = Leaving::new(file.path().to_owned());
    Command::new("sh").args(["-c", program, "sh"]).arg(file.path()).stdin(File::open("/dev/tty")?).status()
}

/// Pipes a text to a command, and waits for Enter before the screen covers its output.
fn pipe(command: &str, text: &str) -> io::Result<ExitStatus> {
    let mut child = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command may read only the beginning.
        let _ = stdin.write_all(text.as_bytes());
    }
    let status = child.wait()?;
    let tty = File::options().read(true).write(true).open("/dev/tty")?;
    writeln!(&tty, "\n── {command}: {status} · Enter goes back")?;
    io::BufReader::new(&tty).read_line(&mut String::new())?;
    Ok(status)
}

//! Runs a program below a guard, a process that ends it, and all that it started, when this process is gone. What it prints
//! comes as whole lines.

use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

/// A longer line is divided, in bytes.
const LONGEST_LINE: usize = 64 << 20;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Some kubelets stop sending a log when they rotate it, without an end.
const SILENCE: Duration = Duration::from_mins(5);
/// The name of the hidden command that guards.
pub const GUARD: &str = "guard";

/// How programs are run by a process that is not crosstail.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// The program that guards, by its hidden command: `crosstail`.
    pub guard: PathBuf,
    /// Where programs are looked for before `PATH`.
    pub programs: PathBuf,
    /// After how long a log that is silent is opened again.
    pub silence: Duration,
}

static EMBEDDING: OnceLock<Embedding> = OnceLock::new();

/// Says how programs are run in this process; the first one counts.
pub fn embed(embedding: Embedding) {
    let _ = EMBEDDING.set(embedding);
}

/// After how long a log that is silent is opened again.
pub(crate) fn silence() -> Duration {
    EMBEDDING.get().map_or(SILENCE, |embedding| embedding.silence)
}

/// The program that guards: crosstail itself, also after its file was replaced by a newer one.
fn guard() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    match EMBEDDING.get() {
        Some(embedding) => Ok(embedding.guard.clone()),
        None if own.exists() => Ok(own.to_owned()),
        None => std::env::current_exe(),
    }
}

/// A program with its arguments. No shell reads them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Invocation {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    /// Variables that it gets besides those of this process.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// A file that is its standard input; otherwise it has none.
    pub(crate) input: Option<PathBuf>,
}

impl Invocation {
    pub(crate) fn new<A: Into<OsString>>(program: impl Into<OsString>, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments, ..Self::default() }
    }

    /// Whether the program is there: a path, or in `PATH`.
    pub(crate) fn is_found(&self) -> bool {
        let program = self.placed();
        if program.as_encoded_bytes().contains(&b'/') {
            return Path::new(&program).exists();
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(&program).is_file())
    }

    /// The program, by its path where it is in the folder that comes before `PATH`.
    fn placed(&self) -> OsString {
        let first = EMBEDDING.get().map(|embedding| embedding.programs.join(&self.program));
        first.filter(|path| path.is_file()).map_or_else(|| self.program.clone(), PathBuf::into_os_string)
    }

    /// Starts it. `spool` is removed by the guard once nobody holds it any more.
    pub(crate) fn start(&self, spool: &Path) -> io::Result<Child> {
        let mut command = tokio::process::Command::new(guard()?);
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let group = spool.join(format!(".group-{}", STARTED.fetch_add(1, Ordering::Relaxed)));
        command.arg(GUARD).arg("--spool").arg(spool).arg("--group").arg(&group);
        if let Some(input) = &self.input {
            command.arg("--input").arg(input);
        }
        command.arg("--").arg(self.placed()).args(&self.arguments).envs(self.variables.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in the terminal is for crosstail alone.
        let mut child = command.process_group(0).spawn()?;
        let missing = || io::Error::other("no pipe to the program");
        let (out, err) = (child.stdout.take().ok_or_else(missing)?, child.stderr.take().ok_or_else(missing)?);
        let alive = child.stdin.take().ok_or_else(missing)?;
        let guarded = Guarded { process: child, _alive: alive, group, has_ended: false };
        Ok(Child { guarded, out: Lines::new(out), err: Lines::new(err) })
    }

    /// Runs it to its end and gives what it printed; an error has what it said.
    pub(crate) async fn output(&self, spool: &Path) -> io::Result<Result<Vec<u8>, String>> {
        let mut child = self.start(spool)?;
        let (mut out, mut said) = (Vec::new(), Vec::new());
        while let Some((from, lines)) = child.next().await? {
            match from {
                Pipe::Out => out.extend(lines),
                Pipe::Err => said.extend(lines),
            }
        }
        Ok(match child.code().await? {
            0 => Ok(out),
            code => Err(complaint(&said, code)),
        })
    }
}

/// Whether a line is one of the log of a Kubernetes program: `E1127 21:24:24.471629   30422 memcache.go:265] …`.
fn is_klog(line: &str) -> bool {
    let (level, rest) = line.split_at(line.floor_char_boundary(1));
    let day = rest.split(' ').next().unwrap_or_default();
    ["E", "W", "I", "F"].contains(&level) && day.len() == 4 && day.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a program that failed said, in a line.
pub(crate) fn complaint(said: &[u8], code: i32) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // What kubectl says to people stands behind its log.
    let said: Vec<&str> = lines.iter().copied().filter(|line| !is_klog(line)).collect();
    let last = if said.is_empty() { lines } else { said };
    match last[last.len().saturating_sub(3)..].join("; ") {
        said if said.is_empty() => format!("ended with exit code {code}"),
        said => said,
    }
}

/// Which output a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipe {
    Out,
    Err,
}

/// A guard and its program. Dropping it ends both: the guard sees that nobody holds the other end of its input any more.
struct Guarded {
    process: tokio::process::Child,
    _alive: ChildStdin,
    /// Where the guard has written the number of its program's group of processes.
    group: PathBuf,
    /// Whether the guard has ended.
    has_ended: bool,
}

impl Guarded {
    /// Waits until the guard ends. Of one that was killed, the program is ended here. Safe to drop.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await?;
        if !std::mem::replace(&mut self.has_ended, true) {
            self.end_orphan(status);
        }
        Ok(status)
    }

    /// Ends the program of a guard that was killed before it could do so.
    fn end_orphan(&self, status: ExitStatus) {
        if status.signal().is_none() {
            return;
        }
        let group = std::fs::read_to_string(&self.group).ok().and_then(|text| text.parse().ok());
        if let Some(group) = group.and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = std::fs::remove_file(&self.group);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let (false, Ok(Some(status))) = (self.has_ended, self.process.try_wait()) {
            self.end_orphan(status);
        }
    }
}

/// A running program. Dropping it ends it.
pub(crate) struct Child {
    guarded: Guarded,
    out: Lines<ChildStdout>,
    err: Lines<ChildStderr>,
}

impl Child {
    /// The next lines, each with its newline; `None` once both outputs have ended. Safe to drop.
    pub(crate) async fn next(&mut self) -> io::Result<Option<(Pipe, Vec<u8>)>> {
        let Self { guarded, out, err } = self;
        loop {
            let (from, lines) = tokio::select! {
                lines = out.next(), if !out.ended => (Pipe::Out, lines?),
                lines = err.next(), if !err.ended => (Pipe::Err, lines?),
                ended = guarded.ended(), if !(guarded.has_ended || out.ended && err.ended) => {
                    ended?;
                    continue;
                }
                else => return Ok(None),
            };
            if !lines.is_empty() {
                return Ok(Some((from, lines)));
            }
        }
    }

    /// The raw output, for what is not made of lines, and the rest.
    pub(crate) fn divided(self) -> (ChildStdout, Rest) {
        let Self { guarded, out, err } = self;
        (out.read, Rest { guarded, err })
    }

    /// Its exit code, once its outputs have ended.
    pub(crate) async fn code(mut self) -> io::Result<i32> {
        Ok(self.guarded.ended().await?.code().unwrap_or(-1))
    }
}

/// A program whose output is read elsewhere. Dropping it ends the program.
pub(crate) struct Rest {
    guarded: Guarded,
    err: Lines<ChildStderr>,
}

impl Rest {
    /// What it said on its standard error, and its exit code, once it is done.
    pub(crate) async fn ended(mut self) -> io::Result<(Vec<u8>, i32)> {
        let mut said = Vec::new();
        while !self.err.ended {
            tokio::select! {
                lines = self.err.next() => said.extend(lines?),
                ended = self.guarded.ended(), if !self.guarded.has_ended => drop(ended?),
            }
        }
        Ok((said, self.guarded.ended().await?.code().unwrap_or(-1)))
    }
}

struct Lines<R> {
    read: R,
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(read: R) -> Self {
        Self { read, buffer: Vec::new(), ended: false }
    }

    /// The lines that are complete; empty where none is yet. What is not complete at the end gets its newline.
    async fn next(&mut self) -> io::Result<Vec<u8>> {
        self.buffer.reserve(CHUNK);
        let before = self.buffer.len();
        if self.read.read_buf(&mut self.buffer).await? == 0 {
            self.ended = true;
            if !self.buffer.is_empty() {
                self.buffer.push(b'\n');
            }
            return Ok(std::mem::take(&mut self.buffer));
        }
        let Some(end) = memchr::memrchr(b'\n', &self.buffer[before..]).map(|at| before + at + 1) else {
            if self.buffer.len() > LONGEST_LINE {
                self.buffer.push(b'\n');
                return Ok(std::mem::take(&mut self.buffer));
            }
            return Ok(Vec::new());
        };
        let rest = self.buffer.split_off(end);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }
}

/// Splits into lines, each with its newline.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

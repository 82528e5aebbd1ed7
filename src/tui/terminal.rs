//! The terminal: entered, and restored whatever happens.

use super::decoder::Decoder;
use super::input::{Input, joined};
use super::leavings;
use crossterm::{cursor, event, execute, terminal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// How the names of the threads begin without which the terminal is of no use.
pub const THREADS: &str = "terminal";

/// Whether crosstail draws on the terminal now.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::Acquire)
}

/// A thread without which the terminal is of no use.
pub(super) fn thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(THREADS.to_owned()).spawn(work).map(drop)
}

/// Set while an external program uses the terminal: the signals of its keys are not for crosstail.
static LENT: AtomicBool = AtomicBool::new(false);

/// How many changes of size the thread of signals has passed over while the terminal was lent.
static PASSED: (Mutex<u64>, Condvar) = (Mutex::new(0), Condvar::new());

/// While this lives, an external program owns the terminal. Dropping it enters the terminal again.
pub struct ReleasedTerminal;

/// Releases the terminal for an external program.
pub fn release() -> ReleasedTerminal {
    LENT.store(true, Ordering::Release);
    leave();
    ReleasedTerminal
}

impl Drop for ReleasedTerminal {
    fn drop(&mut self) {
        let _ = enter();
        // In raw mode no key is a signal. One of before may still be on its way to the thread of signals: a Ctrl-C that
        // ended the pager must not end crosstail behind it.
        pass_over_signals();
        LENT.store(false, Ordering::Release);
    }
}

/// Waits until the thread of signals has passed over what has been delivered: it takes signals by their numbers, so behind
/// a change of size of our own nothing is left. Twice, as a signal may have come while it was taking others.
fn pass_over_signals() {
    const AT_MOST: Duration = Duration::from_secs(1);
    let (passed, changed) = &PASSED;
    for _ in 0..2 {
        let guard = passed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *guard;
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::WINCH).is_err() {
            return;
        }
        let _ = changed.wait_timeout_while(guard, AT_MOST, |now| *now == before);
    }
}

/// Held while a picture is written, so that the terminal is never restored in the middle of one.
static WRITING: Mutex<()> = Mutex::new(());

/// Held while keys are read: once the terminal is restored, further keys belong to the next program.
static READING: Mutex<()> = Mutex::new(());

/// Writes a picture, or drops it if the terminal has been restored meanwhile.
pub fn write_picture(out: &mut File, bytes: &[u8]) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if !TAKEN.load(Ordering::Acquire) {
        return Ok(());
    }
    out.write_all(bytes)?;
    out.flush()
}

/// The terminal for writing: stdout, or `/dev/tty` if stdout is not a terminal.
pub fn writer() -> io::Result<File> {
    if io::stdout().is_terminal() {
        return Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    }
    File::options().read(true).write(true).open("/dev/tty")
}

/// Columns and rows of the terminal.
pub fn size() -> io::Result<(u16, u16)> {
    terminal::size()
}

/// The title goes on the terminal's stack, and comes back from it (XTWINOPS,
/// <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>). A terminal that has none ignores both.
const SAVE_TITLE: &[u8] = b"\x1b[22;2t";
const RESTORE_TITLE: &[u8] = b"\x1b[23;2t";

/// Enters the terminal: raw mode, alternate screen, bracketed paste.
pub fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::Release);
    let mut out = writer()?;
    out.write_all(SAVE_TITLE)?;
    execute!(out, terminal::EnterAlternateScreen, event::EnableBracketedPaste, event::EnableFocusChange, cursor::Hide)
}

/// Restores the terminal. Safe to call twice, and from a panic.
pub fn leave() {
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    // A terminal that does not read must not block the process: after a while, write without the locks.
    let _reading = lock_for_a_while(&READING);
    let _writing = lock_for_a_while(&WRITING);
    if let Ok(mut out) = writer() {
        let _ = out.write_all(b"\x1b[?2026l\x1b[r\x1b[m");
        let _ = execute!(
            out,
            event::DisableMouseCapture,
            event::DisableBracketedPaste,
            event::DisableFocusChange,
            terminal::LeaveAlternateScreen,
            cursor::Show
        );
        let _ = out.write_all(RESTORE_TITLE);
        let _ = out.flush();
    }
    let _ = terminal::disable_raw_mode();
}

fn lock_for_a_while(
    mutex: &'static Mutex<()>,
) -> Result<MutexGuard<'static, ()>, TryLockError<MutexGuard<'static, ()>>> {
    let until = Instant::now() + Duration::from_millis(300);
    loop {
        match mutex.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::park_timeout(Duration::from_millis(2));
            }
            got => return got,
        }
    }
}

/// Stops the process as Ctrl-Z does; returns when it continues.
pub fn suspend() {
    leave();
    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
}

/// Reads keys and signals on threads of their own. After a hang-up or a terminating signal, the process ends within a
/// second, even if the main loop is busy.
pub fn listen(inputs: mpsc::Sender<Input>) -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGTERM, SIGINT, SIGWINCH, SIGTSTP, SIGCONT])?;
    let to_loop = inputs.clone();
    thread(move || {
        for signal in signals.forever() {
            if LENT.load(Ordering::Acquire) {
                match signal {
                    // The complete foreground group stops together, as a shell expects.
                    SIGTSTP => drop(signal_hook::low_level::emulate_default_handler(SIGTSTP)),
                    SIGHUP | SIGTERM => {
                        end_soon(signal);
                        return;
                    }
                    SIGWINCH => {
                        *PASSED.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                        PASSED.1.notify_all();
                    }
                    _ => {}
                }
                continue;
            }
            let input = match signal {
                SIGWINCH => Input::Resized,
                SIGTSTP => Input::Stop,
                SIGCONT => Input::Continued,
                SIGHUP => Input::End(129),
                SIGINT => Input::End(130),
                _ => Input::End(143),
            };
            let end = matches!(input, Input::End(_));
            if to_loop.blocking_send(input).is_err() {
                return;
            }
            if end {
                end_soon(signal);
            }
        }
    })?;
    let tty = if io::stdin().is_terminal() { None } else { Some(File::open("/dev/tty")?) };
    thread(move || read_keys(tty.as_ref(), &inputs))
}

/// The last resort, if the main loop does not end in time.
fn end_soon(signal: i32) {
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(900));
        leave();
        leavings::remove_all();
        std::process::exit(128 + signal);
    });
}

/// Reads keys.
fn read_keys(tty: Option<&File>, inputs: &mpsc::Sender<Input>) {
    let stdin = io::stdin();
    let from = tty.map_or_else(|| stdin.as_fd(), |tty| tty.as_fd());
    let mut decoder = Decoder::default();
    loop {
        let patience = decoder.patience().and_then(|patience| Timespec::try_from(patience).ok());
        match waited(from, patience.as_ref()) {
            Ok(Ready::Nothing) => {
                if !deliver(inputs, decoder.give_up()) {
                    return;
                }
                continue;
            }
            Ok(Ready::Bytes) => {}
            Ok(Ready::Gone) | Err(_) => break,
        }
        match read_while_ours(from) {
            Ok(Some(bytes)) => {
                if !deliver(inputs, decoder.take(&bytes)) {
                    return;
                }
            }
            Ok(None) => std::thread::park_timeout(Duration::from_millis(20)),
            Err(_) => break,
        }
    }
    let _ = inputs.blocking_send(Input::End(129));
    end_soon(SIGHUP);
}

/// What a descriptor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Nothing,
    Bytes,
    /// The terminal is no more.
    Gone,
}

/// What there is to read within a time.
fn waited(from: BorrowedFd<'_>, patience: Option<&Timespec>) -> io::Result<Ready> {
    let mut descriptors = [PollFd::from_borrowed_fd(from, PollFlags::IN)];
    loop {
        match poll(&mut descriptors, patience) {
            Ok(0) => return Ok(Ready::Nothing),
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let is_gone = descriptors[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
    Ok(if is_gone { Ready::Gone } else { Ready::Bytes })
}

/// Sends the inputs of one read; `false` if nobody takes them any more.
fn deliver(to: &mpsc::Sender<Input>, inputs: Vec<Input>) -> bool {
    joined(inputs).into_iter().all(|input| to.blocking_send(input).is_ok())
}

/// What can be read at once; `None` while crosstail does not own the terminal. An error if there is no terminal any more.
fn read_while_ours(from: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    /// What follows within this time belongs to the same read.
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    /// A paste is read in parts of some size.
    const MOST: usize = 1 << 20;
    let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
    if !TAKEN.load(Ordering::Acquire) {
        return Ok(None);
    }
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match rustix::io::read(from, &mut buffer) {
            Ok(0) if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) | Ok(0) => break,
            Err(error) => return Err(error.into()),
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
        if bytes.len() >= MOST || !matches!(waited(from, Some(&AT_ONCE)), Ok(Ready::Bytes)) {
            break;
        }
    }
    Ok(Some(bytes))
}

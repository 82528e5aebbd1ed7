//! The terminal: taken over, given back whole, whatever happens.

use crossterm::{cursor, event, execute, terminal};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What comes from the terminal and the system.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// A key, a click, a paste.
    Event(event::Event),
    /// The size may have changed.
    Resized,
    /// The process was asked to stop, or goes on.
    Stop,
    /// The process goes on after a stop.
    Continued,
    /// The process has to end now: the terminal is gone, or somebody said so. The exit code.
    End(u8),
}

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Another program has the terminal: the signals of its keys are not ours.
static LENT: AtomicBool = AtomicBool::new(false);

/// The terminal, lent to another program until this is dropped.
pub(super) struct ReleasedTerminal;

/// Lends the terminal to another program.
pub(super) fn release() -> ReleasedTerminal {
    LENT.store(true, Ordering::Release);
    leave();
    ReleasedTerminal
}

impl Drop for ReleasedTerminal {
    fn drop(&mut self) {
        let _ = enter();
        LENT.store(false, Ordering::Release);
    }
}

/// Held while a picture is written: the terminal is given back between pictures, never in the middle of one.
static WRITING: Mutex<()> = Mutex::new(());

/// Held while keys are read: once the terminal is given back, what is typed belongs to whoever has it next.
static READING: Mutex<()> = Mutex::new(());

/// Writes a picture, unless the terminal was given back meanwhile: then it is dropped.
pub(super) fn write_picture(out: &mut File, bytes: &[u8]) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if !TAKEN.load(Ordering::Acquire) {
        return Ok(());
    }
    out.write_all(bytes)?;
    out.flush()
}

/// The terminal's writing end: stdout, or `/dev/tty` where stdout is something else.
pub(super) fn writer() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    if io::stdout().is_terminal() {
        return Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    }
    File::options().read(true).write(true).open("/dev/tty")
}

/// Takes the terminal over: raw mode, alternate screen, bracketed paste.
pub(super) fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::Release);
    let mut out = writer()?;
    execute!(out, terminal::EnterAlternateScreen, event::EnableBracketedPaste, cursor::Hide)
}

/// Gives the terminal back as it was. Safe to call twice, and from a panic.
pub(super) fn leave() {
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    // A terminal that does not read must not keep the process: after a while it is written to all the same.
    let _reading = lock_for_a_while(&READING);
    let _writing = lock_for_a_while(&WRITING);
    if let Ok(mut out) = writer() {
        let _ = out.write_all(b"\x1b[?2026l\x1b[r\x1b[m");
        let _ = execute!(
            out,
            event::DisableMouseCapture,
            event::DisableBracketedPaste,
            terminal::LeaveAlternateScreen,
            cursor::Show
        );
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

/// A panic gives the terminal back before it says what happened.
pub(super) fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        leave();
        before(info);
    }));
}

/// Stops the process as Ctrl-Z does; returns when it goes on.
pub(super) fn suspend() {
    leave();
    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
}

/// Reads keys and signals on threads of their own. When the terminal hangs up, or a signal says so, the process ends
/// within a second even where the main loop is busy.
pub(super) fn listen(inputs: mpsc::Sender<Input>) -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGTERM, SIGINT, SIGWINCH, SIGTSTP, SIGCONT])?;
    let to_loop = inputs.clone();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if LENT.load(Ordering::Acquire) {
                match signal {
                    // All of the foreground stops together, as a shell expects.
                    SIGTSTP => drop(signal_hook::low_level::emulate_default_handler(SIGTSTP)),
                    SIGHUP | SIGTERM => {
                        end_soon(signal);
                        return;
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
    });
    let tty = if io::stdin().is_terminal() { None } else { Some(File::open("/dev/tty")?) };
    std::thread::spawn(move || read_keys(tty.as_ref(), &inputs));
    Ok(())
}

/// The last resort, should the loop not end by itself.
fn end_soon(signal: i32) {
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(900));
        leave();
        std::process::exit(128 + signal);
    });
}

/// crossterm's own `poll` turns in circles once the terminal is gone: the descriptor is asked first.
fn read_keys(tty: Option<&File>, inputs: &mpsc::Sender<Input>) {
    let stdin = io::stdin();
    loop {
        let mut descriptors = [match tty {
            Some(tty) => PollFd::new(tty, PollFlags::IN),
            None => PollFd::new(&stdin, PollFlags::IN),
        }];
        match poll(&mut descriptors, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => break,
        }
        let ready = descriptors[0].revents();
        if ready.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            break;
        }
        let Some(events) = read_while_ours() else {
            std::thread::park_timeout(Duration::from_millis(20));
            continue;
        };
        for event in events {
            if inputs.blocking_send(Input::Event(event)).is_err() {
                return;
            }
        }
    }
    let _ = inputs.blocking_send(Input::End(129));
    end_soon(SIGHUP);
}

/// What can be read without waiting; nothing is read, and `None` said, while the terminal is not ours.
fn read_while_ours() -> Option<Vec<event::Event>> {
    let _reading = READING.lock().unwrap_or_else(PoisonError::into_inner);
    if !TAKEN.load(Ordering::Acquire) {
        return None;
    }
    let mut events = Vec::new();
    while event::poll(Duration::ZERO).unwrap_or(false) {
        let Ok(event) = event::read() else { break };
        events.push(event);
    }
    Some(events)
}

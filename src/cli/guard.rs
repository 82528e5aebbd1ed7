//! `crosstail guard -- PROGRAM…`: the process between crosstail and a program that it reads. It ends the program, and all
//! that it started, when the program is done or crosstail is gone, however it went: then its standard input ends.

use super::args::GuardArgs;
use super::descendants;
use super::output::print_error;
use anyhow::Result;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, test_kill_process_group, wait,
};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// How long a program has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// How long a process that was killed may take to be gone.
const ENDS: Duration = Duration::from_secs(10);
/// How often what is left is killed.
const ROUNDS: usize = 50;
/// The exit code of a shell for a program that it does not find.
const NOT_FOUND: u8 = 127;

enum Event {
    Ended(WaitStatus),
    /// Nobody reads the program any more.
    Alone,
}

pub(super) fn run(args: &GuardArgs) -> Result<u8> {
    let Some((program, arguments)) = args.command.split_first() else { return Ok(super::exit::USAGE) };
    let input = match &args.input {
        Some(path) => Stdio::from(File::open(path)?),
        None => Stdio::null(),
    };
    // What leaves the group by a session of its own becomes a child of this process once its parent has ended.
    descendants::adopt();
    let started = Command::new(program).args(arguments).stdin(input).process_group(0).spawn();
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            print_error(&format!("{}: {error}", program.to_string_lossy()));
            return Ok(NOT_FOUND);
        }
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // For crosstail, should this process be killed and the program live on.
    if let (Some(told), Some(group)) = (&args.group, group) {
        let _ = std::fs::write(told, group.as_raw_nonzero().to_string());
    }
    let (sender, events) = sync_channel(4);
    let alone = sender.clone();
    std::thread::spawn(move || {
        let mut nothing = [0; 64];
        let mut input = std::io::stdin().lock();
        while input.read(&mut nothing).is_ok_and(|read| read > 0) {}
        let _ = alone.send(Event::Alone);
    });
    let signals = [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP];
    let mut signals = signal_hook::iterator::Signals::new(signals)?;
    let asked = sender.clone();
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let _ = asked.send(Event::Alone);
        }
    });
    std::thread::spawn(move || wait_for_all(group, &sender));
    let first = events.recv();
    let is_alone = matches!(first, Ok(Event::Alone));
    if let Some(group) = group {
        end(group, &events);
    }
    if let Some(told) = &args.group {
        let _ = std::fs::remove_file(told);
    }
    if is_alone && let Some(spool) = &args.spool {
        remove_unheld(spool);
    }
    Ok(match first {
        Ok(Event::Ended(status)) => {
            let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
            code.and_then(|code| u8::try_from(code).ok()).unwrap_or(super::exit::FAILED)
        }
        _ => super::exit::FAILED,
    })
}

/// Takes every child that ends, also those that were adopted, and tells when it is the program itself.
fn wait_for_all(program: Option<Pid>, events: &SyncSender<Event>) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if Some(pid) == program => {
                let _ = events.send(Event::Ended(status));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // There is no child any more.
            Err(_) => return,
        }
    }
}

/// Ends a group of processes, and what has left it: asks, waits, and then does not ask.
fn end(group: Pid, events: &Receiver<Event>) {
    let begun = Instant::now();
    let is_there = || test_kill_process_group(group).is_ok() || !descendants::living().is_empty();
    let all = |signal| {
        let _ = kill_process_group(group, signal);
        for other in descendants::living() {
            let _ = kill_process(other, signal);
        }
    };
    if !is_there() {
        return;
    }
    all(Signal::TERM);
    while is_there() && begun.elapsed() < GRACE {
        let _ = events.recv_timeout(LOOK);
        std::thread::park_timeout(LOOK);
    }
    // What was started between the look and the signal is killed in the next round.
    for _ in 0..ROUNDS {
        all(Signal::KILL);
        if descendants::living().is_empty() {
            return;
        }
        std::thread::park_timeout(LOOK);
    }
}

/// Removes the folder of a source whose process was killed, or ended before it had done so. Of a process that ends, the pipe
/// to here may close before its lock: so what is held is looked at for a while. Who lives on holds it longer.
fn remove_unheld(spool: &std::path::Path) {
    let begun = Instant::now();
    let is_held = || File::open(spool.join(".lock")).is_ok_and(|lock| lock.try_lock().is_err());
    while is_held() {
        if begun.elapsed() > ENDS {
            return;
        }
        std::thread::park_timeout(LOOK);
    }
    let _ = std::fs::remove_dir_all(spool);
}

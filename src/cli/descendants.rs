//! The processes below this one, whatever group and session they are in.

use rustix::process::{Pid, WaitOptions, wait};

/// Makes this process the parent of what its children leave behind. Where the system has no such thing (macOS), that belongs to the
/// first process.
pub(super) fn adopt() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Those that have not ended; none where the system does not list them below `/proc`. To be asked once the program itself has been
/// waited for, or matters no more.
pub(super) fn living() -> Vec<Pid> {
    // Without a child there is none, and the processes of the machine need not be looked through.
    if wait(WaitOptions::NOHANG).is_err_and(|error| error == rustix::io::Errno::CHILD) {
        return Vec::new();
    }
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let numbers = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let stats = numbers.filter_map(|number| std::fs::read(format!("/proc/{number}/stat")).ok());
    let all: Vec<(i32, i32, bool)> = stats.filter_map(|stat| parsed(&stat)).collect();
    let mut below = vec![rustix::process::getpid().as_raw_nonzero().get()];
    let mut next = 0;
    while let Some(parent) = below.get(next).copied() {
        below.extend(all.iter().filter(|(_, of, _)| *of == parent).map(|(pid, ..)| *pid));
        next += 1;
    }
    let lives = |pid: &i32| all.iter().any(|(other, _, lives)| other == pid && *lives);
    below[1..].iter().filter(|pid| lives(pid)).filter_map(|pid| Pid::from_raw(*pid)).collect()
}

/// Process, parent, and whether it has not ended, of a line of `/proc/PID/stat` (proc(5)). The name in brackets may hold anything.
fn parsed(stat: &[u8]) -> Option<(i32, i32, bool)> {
    let text = String::from_utf8_lossy(stat);
    let (head, tail) = text.rsplit_once(')')?;
    let pid = head.split_once(' ')?.0.parse().ok()?;
    let mut rest = tail.split_ascii_whitespace();
    let (state, parent) = (rest.next()?, rest.next()?.parse().ok()?);
    Some((pid, parent, !matches!(state, "Z" | "X")))
}

#[cfg(test)]
mod tests {
    use super::parsed;

    #[test]
    fn a_name_may_hold_brackets() {
        assert_eq!(parsed(b"42 (a) S (b) Z) S 7 42 42 0"), Some((42, 7, true)));
        assert_eq!(parsed(b"42 (a) Z 7 42"), Some((42, 7, false)));
        assert_eq!(parsed(b"nonsense"), None);
    }
}

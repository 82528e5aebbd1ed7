//! How the C library's allocator keeps what is freed.
//!
//! glibc gives each thread that allocates an arena, up to eight for each core, and keeps in each what was freed there. A program
//! that reads stores on many threads then holds several times what it uses: four sources with 200 activities a second took 577 MB
//! after three minutes. `docs/performance.md` has the figures with and without. `MALLOC_ARENA_MAX` does the same from outside.

/// As many arenas as threads of ours work at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;
/// What is larger, in bytes, is given back to the system as soon as it is freed. Without it, glibc raises this limit to 32 MB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const GIVEN_BACK: libc::c_int = 1 << 20;

/// How often it is looked whether much is kept, and how many pages more than after the last time are much: 8 MB of pages of 4 KB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const EVERY: std::time::Duration = std::time::Duration::from_millis(500);
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MUCH: u64 = 2048;

/// Makes the allocator keep little. To be called once, before there are threads: what they have by then stays theirs. Does nothing
/// where the allocator is not glibc's.
///
/// Source: `mallopt(3)`, `M_ARENA_MAX` and `M_MMAP_THRESHOLD`; `malloc_trim(3)`.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        limit();
        // Without the thread, more is kept; nothing else depends on it.
        let _ = std::thread::Builder::new().name("heap".to_owned()).stack_size(1 << 16).spawn(give_back);
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "functions of C")]
fn limit() {
    // SAFETY: `mallopt` takes two numbers by value, holds the allocator's lock, and refuses what it does not know.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, GIVEN_BACK);
    }
}

/// Gives pages back that are free between others, whenever the program has grown by much: a search through a store needs for a
/// moment what nothing needs afterwards.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn give_back() {
    let mut least = u64::MAX;
    loop {
        std::thread::park_timeout(EVERY);
        let Some(now) = resident() else { return };
        least = least.min(now);
        if now > least.saturating_add(MUCH) {
            trim();
            least = resident().unwrap_or(now);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of C")]
fn trim() {
    // SAFETY: `malloc_trim` takes a number by value and holds the lock of each arena in turn.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Pages of the program that are in memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn resident() -> Option<u64> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()
}

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

/// Makes the allocator keep little. To be called once, before there are threads: what they have by then stays theirs. Does nothing
/// where the allocator is not glibc's.
///
/// Source: `mallopt(3)`, `M_ARENA_MAX` and `M_MMAP_THRESHOLD`.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "a function of C")]
    // SAFETY: `mallopt` takes two numbers by value, holds the allocator's lock, and refuses what it does not know.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, GIVEN_BACK);
    }
}

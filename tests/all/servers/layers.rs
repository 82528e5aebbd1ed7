//! The layers of the tests. What needs nothing but Rust runs always; what needs servers, or node, runs where
//! `CROSSTAIL_TEST_SERVERS` is set, and there it fails if they are missing. What is left out is said.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Mutex;

/// Says how many tests were left out once the tests have ended: nothing in this process runs that late. It counts what
/// comes on its standard input until that is closed.
const LAST_WORD: &str = r#"
n=0
while read -r test; do n=$((n + 1)); done
echo "
NOT RUN: $n tests that need servers or node (conformance on servers, faults, writing, Winston).
         scripts/test installs those and runs every test; once installed: CROSSTAIL_TEST_SERVERS=1 cargo test
" >&2"#;

/// Whether tests with servers are asked for. Where they are not, the test that asks is counted among those left out,
/// and has to return.
pub fn servers_wanted() -> bool {
    let wanted = std::env::var_os("CROSSTAIL_TEST_SERVERS").is_some_and(|value| !value.is_empty() && value != "0");
    if !wanted {
        count_left_out();
    }
    wanted
}

fn count_left_out() {
    static LEFT_OUT: Mutex<Option<(ChildStdin, HashSet<String>)>> = Mutex::new(None);
    let mut left_out = LEFT_OUT.lock().expect("lock");
    let (last_word, known) = left_out.get_or_insert_with(|| {
        let shell = Command::new("sh").args(["-c", LAST_WORD]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        (shell.expect("sh").stdin.take().expect("its input"), HashSet::new())
    });
    // A test runs in a thread of its name; one that asks twice is one test.
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    if test == "main" || known.insert(test.clone()) {
        writeln!(last_word, "{test}").expect("counted");
    }
}

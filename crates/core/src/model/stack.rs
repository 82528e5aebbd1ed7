//! Parses stack traces and separates the application's own frames from those of libraries.

use std::ops::Range;

/// The type of a line in a stack trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Not a frame: a message, `Caused by:`.
    Message,
    /// A frame of the application.
    Own,
    /// A frame of a library, the language or the runtime.
    Library,
}

/// One line of a stack trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whose it is.
    pub kind: FrameKind,
    /// As it stands in the trace, without the newline.
    pub text: &'a str,
}

/// Parts of file names and symbols that are not the application's, in the languages of integrations.
const LIBRARIES: &[&str] = &[
    // Node.js
    "node_modules/",
    "node:",
    "(internal/",
    "<anonymous>",
    "processTicksAndRejections",
    // Python
    "site-packages/",
    "dist-packages/",
    "/lib/python",
    "<frozen ",
    "\\Lib\\",
    // Java, Kotlin, Scala
    "at java.",
    "at javax.",
    "at jakarta.",
    "at sun.",
    "at jdk.",
    "at com.sun.",
    "at org.springframework.",
    "at org.apache.",
    "at org.hibernate.",
    "at io.netty.",
    "at reactor.",
    "at kotlin.",
    "at kotlinx.",
    "at scala.",
    "at com.fasterxml.",
    "at okhttp3.",
    "at com.zaxxer.",
    "at org.eclipse.",
    "at org.jboss.",
    "java.base/",
    // .NET
    "at System.",
    "at Microsoft.",
    "at Newtonsoft.",
    "at lambda_method",
    // Go
    "/usr/local/go/src/",
    "/pkg/mod/",
    "runtime.",
    "net/http.",
    // Rust
    "/rustc/",
    ".cargo/registry",
    " std::",
    " core::",
    " tokio::",
    " alloc::",
    // Ruby, PHP
    "/gems/",
    "/vendor/",
    "/usr/lib/",
    "/usr/share/",
];

/// Whether a line looks like a frame.
fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    let indented = trimmed.len() < line.len();
    let numbered = trimmed.split_once(':').is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let has_place = trimmed.rsplit(':').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    trimmed.starts_with("at ")
        || trimmed.starts_with("File \"")
        || trimmed.starts_with("from ")
        || (trimmed.starts_with('#') && trimmed[1..].starts_with(|c: char| c.is_ascii_digit()))
        || (indented && (numbered || has_place))
        || trimmed.contains(".go:")
}

/// The lines of a stack trace. A line that continues the frame before it (Python's source text, the places of Go and
/// Rust) has the same kind.
pub fn frames(stack: &str) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for line in stack.lines() {
        let library = LIBRARIES.iter().any(|mark| line.contains(mark));
        let kind = if is_frame(line) {
            if library { FrameKind::Library } else { FrameKind::Own }
        } else if line.starts_with([' ', '\t']) && !line.trim_start().starts_with("Caused by") {
            frames.last().map_or(FrameKind::Message, |frame| frame.kind)
        } else {
            FrameKind::Message
        };
        frames.push(Frame { kind, text: line });
    }
    // Rust has the place on a separate line after the name: the place decides for both.
    for index in 1..frames.len() {
        if frames[index].text.trim_start().starts_with("at ")
            && frames[index - 1].text.trim_start().starts_with(|c: char| c.is_ascii_digit())
        {
            let library = frames[index - 1..=index].iter().any(|frame| frame.kind == FrameKind::Library);
            let kind = if library { FrameKind::Library } else { FrameKind::Own };
            frames[index].kind = kind;
            frames[index - 1].kind = kind;
        }
    }
    frames
}

/// The innermost frame of the application: the first one in most languages, the last one in Python.
pub fn own_frame<'a>(frames: &[Frame<'a>]) -> Option<&'a str> {
    let python = frames.first().is_some_and(|frame| frame.text.starts_with("Traceback"));
    let is_place = |frame: &&Frame<'a>| frame.kind == FrameKind::Own && is_frame(frame.text);
    let found = if python { frames.iter().rev().find(is_place) } else { frames.iter().find(is_place) };
    found.map(|frame| frame.text.trim())
}

/// Where the innermost frame of the application in a stack is: its function and file, without the line and whatever else changes with
/// a build or a run. `None` where the application has no frame.
pub fn place_of(stack: &str) -> Option<String> {
    let frames = frames(stack);
    let mut frame = own_frame(&frames)?;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| frame.strip_prefix(prefix)).or_else(|| after_number(frame))
    {
        frame = rest.trim_start();
    }
    let mut place = String::with_capacity(frame.len());
    let mut rest = frame;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        place.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(address) = rest.strip_prefix("0x") {
            rest = address.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            cut(&mut place, &[" +"]);
            continue;
        }
        let number = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
        rest = &rest[number.len()..];
        // `file:40:7`, `file:line 12`, `file", line 9`, `file(17)`.
        if place.ends_with('(') && rest.starts_with(')') {
            place.pop();
            rest = &rest[1..];
        } else if !cut(&mut place, &[":line ", ", line ", ":"]) {
            place.push_str(number);
        }
    }
    place.push_str(rest);
    let place = place.trim().trim_end_matches([':', ',']);
    (!place.is_empty()).then(|| place[..place.floor_char_boundary(LONGEST_PLACE)].to_owned())
}

/// What stands before the function in a frame.
const PREFIXES: [&str; 4] = ["at ", "from ", "File ", "async "];
/// In bytes.
const LONGEST_PLACE: usize = 200;

/// What stands behind the number of a frame: `#0 `, `12: `.
fn after_number(frame: &str) -> Option<&str> {
    let numbered = frame.strip_prefix('#').unwrap_or(frame);
    let rest = numbered.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = if numbered.len() < frame.len() { rest.strip_prefix(' ') } else { rest.strip_prefix(": ") };
    rest.filter(|_| numbered.starts_with(|c: char| c.is_ascii_digit()))
}

/// Removes the first of some endings that a text has; whether it had one.
fn cut(text: &mut String, endings: &[&str]) -> bool {
    let found = endings.iter().find(|ending| text.ends_with(**ending));
    if let Some(ending) = found {
        text.truncate(text.len() - ending.len());
    }
    found.is_some()
}

/// Runs of at least three library frames, which can be folded.
pub fn library_runs(frames: &[Frame<'_>]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < frames.len() {
        let end = (start..frames.len()).find(|i| frames[*i].kind != FrameKind::Library).unwrap_or(frames.len());
        if end - start >= 3 {
            runs.push(start..end);
        }
        start = end.max(start + 1);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(stack: &str) -> String {
        let letter = |frame: &Frame<'_>| match frame.kind {
            FrameKind::Message => 'm',
            FrameKind::Own => 'o',
            FrameKind::Library => 'l',
        };
        frames(stack).iter().map(letter).collect()
    }

    #[test]
    fn own_frames_are_told_from_libraries() {
        let node = "Error: connect ECONNREFUSED\n    at request (/app/src/http.ts:40:7)\n    at run (/app/node_modules/bull/worker.js:5:1)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)";
        assert_eq!(kinds(node), "moll");
        assert_eq!(own_frame(&frames(node)), Some("at request (/app/src/http.ts:40:7)"));
        let python = "Traceback (most recent call last):\n  File \"/app/sync.py\", line 9, in run\n    post(order)\n  File \"/usr/lib/python3/site-packages/requests/api.py\", line 59, in post\n    return request()\nrequests.exceptions.Timeout: timed out";
        assert_eq!(kinds(python), "moollm");
        assert_eq!(own_frame(&frames(python)), Some("File \"/app/sync.py\", line 9, in run"));
        let java = "java.net.SocketTimeoutException: Read timed out\n\tat java.base/java.net.Socket.read(Socket.java:1)\n\tat com.acme.Sap.post(Sap.java:88)\n\tat org.springframework.web.Servlet.service(Servlet.java:2)\nCaused by: java.io.IOException\n\tat com.acme.Pool.take(Pool.java:3)";
        assert_eq!(kinds(java), "mlolmo");
        let rust = "thread 'main' panicked at src/main.rs:4:5:\nboom\n   0: std::panicking::begin\n             at /rustc/abc/library/std/src/panicking.rs:1:2\n   1: app::sync\n             at ./src/sync.rs:10:3";
        assert_eq!(kinds(rust), "mmlloo");
        let net = "System.Exception: no\n   at Acme.Sap.Post(Order o) in /src/Sap.cs:line 12\n   at System.Net.Http.HttpClient.Send()";
        assert_eq!(kinds(net), "mol");
        let go = "goroutine 1 [running]:\nmain.post(0x1)\n\t/app/main.go:12 +0x1\nnet/http.(*Client).Do(0x2)\n\t/usr/local/go/src/net/http/client.go:1 +0x2";
        assert!(kinds(go).contains('o') && kinds(go).ends_with('l'), "{}", kinds(go));
    }

    #[test]
    fn a_place_does_not_change_with_its_line() {
        for (stack, place) in [
            (
                "Error: no\n    at saveOrder (/app/src/orders.ts:40:7)\n    at x (node:internal/y:1:2)",
                "saveOrder (/app/src/orders.ts)",
            ),
            (
                "Error: no\n    at post (/app/node_modules/http/a.js:1:2)\n    at async /app/src/stock2.ts:4:5",
                "/app/src/stock2.ts",
            ),
            (
                "Traceback (most recent call last):\n  File \"/app/sync.py\", line 9, in run\n    post()\nE: no",
                "\"/app/sync.py\", in run",
            ),
            (
                "E: no\n\tat java.base/java.net.Socket.read(Socket.java:1)\n\tat com.acme.Sap.post(Sap.java:88)",
                "com.acme.Sap.post(Sap.java)",
            ),
            ("E: no\n   at Acme.Sap.Post(Order o) in /src/Sap.cs:line 12", "Acme.Sap.Post(Order o) in /src/Sap.cs"),
            ("goroutine 1 [running]:\nmain.post(0x1)\n\t/app/main.go:12 +0x1f", "/app/main.go"),
            ("panicked\n   1: app::sync\n             at ./src/sync.rs:10:3", "app::sync"),
            ("PHP Fatal error\n#0 /srv/checkout.php(17): charge()\n#1 {main}", "/srv/checkout.php: charge()"),
        ] {
            assert_eq!(place_of(stack).as_deref(), Some(place), "{stack}");
        }
        assert_eq!(place_of("Error: no\n    at x (node:internal/y:1:2)"), None, "no frame of the application");
        assert_eq!(place_of("it failed"), None);
    }

    #[test]
    fn long_runs_of_library_frames_are_found() {
        let stack = "E\n at a (/app/a.js:1:1)\n at b (node:x:1:1)\n at c (node:x:1:1)\n at d (node:x:1:1)\n at e (/app/e.js:1:1)\n at f (node:x:1:1)";
        let runs: Vec<_> = library_runs(&frames(stack)).into_iter().map(|run| (run.start, run.end)).collect();
        assert_eq!(runs, [(2, 5)]);
    }
}

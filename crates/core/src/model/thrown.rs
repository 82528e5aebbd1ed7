//! What a stack says was thrown: its class and its words, in the languages of integrations.

/// An exception as its stack names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thrown {
    /// Its class, as it is written: `java.lang.IllegalStateException`, `TypeError`, `panic`.
    pub kind: String,
    /// What it says, and what caused it in the end. Its class where it says nothing.
    pub message: String,
}

/// What stands before the name of an exception that nobody caught.
const PREFIXES: &[&str] =
    &["PHP Fatal error:  Uncaught ", "Unhandled exception. ", "Unhandled ", "Uncaught ", "[previous exception] "];

/// The class of an exception and what it says, of a line that begins with it: `java.lang.IllegalStateException: no route`. The class
/// has one of the usual endings.
pub fn exception(line: &str) -> Option<(&str, &str)> {
    const ENDINGS: [&str; 3] = ["Exception", "Error", "Throwable"];
    const COMPOUNDS: [&str; 5] = ["Failure", "Warning", "Interrupt", "Exit", "Fault"];
    let (class, said) = class_of(line)?;
    let has = ENDINGS.iter().any(|end| class.ends_with(end))
        || COMPOUNDS.iter().any(|end| class.len() > end.len() && class.ends_with(end));
    has.then_some((class, said))
}

/// A name at the beginning of a line, and what is said behind it.
fn class_of(line: &str) -> Option<(&str, &str)> {
    let end = line.find([':', ' ', '(', '[']).unwrap_or(line.len());
    let (class, rest) = line.split_at(end);
    let is_class = class.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'\\' | b'/'));
    // Node.js puts the code in brackets: `TypeError [ERR_INVALID_ARG_TYPE]: …`.
    let rest = rest.strip_prefix(" [").and_then(|code| code.split_once("]: ")).map_or(rest, |(_, said)| said);
    (is_class && !class.is_empty()).then(|| (class, rest.trim_start_matches([':', ' ']).trim_end()))
}

/// What was thrown, of a stack that begins with it, or that says it at its end, as Python's do. `None` for a text that is no stack.
pub fn thrown(stack: &str) -> Option<Thrown> {
    let stack = stack.trim_start_matches(['\n', '\r', ' ']);
    if stack.starts_with("Traceback (most recent call last)") {
        return of_python(stack);
    }
    let mut lines = stack.lines();
    let first = lines.next()?.trim_end();
    if let Some(said) = first.strip_prefix("panic: ").or_else(|| first.strip_prefix("fatal error: ")) {
        let is_go = lines.any(|line| line.starts_with("goroutine "));
        return is_go.then(|| Thrown { kind: "panic".to_owned(), message: said.to_owned() });
    }
    // Monolog's: `[object] (RuntimeException(code: 0): no route at /srv/pay.php:41)`.
    if let Some((kind, said)) = first.strip_prefix("[object] (").and_then(|rest| rest.split_once("(code: "))
        && stack.contains("[stacktrace]")
    {
        let said = said.split_once("): ").map_or(said, |(_, said)| said);
        let said = said.rsplit_once(" at ").map_or(said, |(said, _)| said);
        return Some(Thrown { kind: kind.to_owned(), message: said.to_owned() });
    }
    if first.starts_with("thread '")
        && let Some((_, place)) = first.split_once("' panicked at ")
    {
        // Since Rust 1.73 the place comes first; before, the words did, in quotes.
        let said = if place.ends_with(':') { lines.next()? } else { place.trim_start_matches('\'') };
        let said = said.split("', ").next().unwrap_or(said).trim();
        return Some(Thrown { kind: "panic".to_owned(), message: said.to_owned() });
    }
    let named = PREFIXES.iter().find_map(|prefix| first.strip_prefix(prefix)).unwrap_or(first);
    let named = named
        .strip_prefix("Exception in thread ")
        .and_then(|rest| rest.split_once("\" "))
        .map_or(named, |(_, name)| name);
    let (kind, said) = exception(named)?;
    if !lines.clone().any(is_of_stack) {
        return None;
    }
    // .NET names what is inside in the same line, or in lines of their own.
    let (said, inner) = said.split_once(" ---> ").map_or((said, None), |(said, inner)| (said, Some(inner)));
    let cause =
        lines.filter_map(cause_of).next_back().or(inner.map(|inner| inner.rsplit(" ---> ").next().unwrap_or(inner)));
    Some(Thrown { kind: kind.to_owned(), message: with_cause(kind, said, cause) })
}

fn with_cause(kind: &str, said: &str, cause: Option<&str>) -> String {
    let said = if said.is_empty() { kind } else { said };
    match cause.filter(|cause| !said.contains(cause)) {
        Some(cause) => format!("{said}; caused by {cause}"),
        None => said.to_owned(),
    }
}

/// Whether only stacks have such a line.
fn is_of_stack(line: &str) -> bool {
    let line = line.trim_start();
    let numbered = line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let begins =
        ["at ", "Caused by: ", "... ", "from ", "Stack trace:", "---> "].iter().any(|begin| line.starts_with(begin));
    numbered || begins || line.contains(":in `") || line.contains(":in '")
}

/// The exception that a line of a stack names as the cause.
fn cause_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let cause = ["Caused by: ", "---> ", "[cause]: "].iter().find_map(|begin| line.strip_prefix(begin))?;
    Some(cause.trim_end_matches(" {"))
}

/// Python's: the last line that is not indented, of each traceback.
fn of_python(stack: &str) -> Option<Thrown> {
    const CAUSE: &str = "The above exception was the direct cause";
    let of = |traceback: &str| {
        let named = traceback.lines().rfind(|line| !line.starts_with([' ', '\t']) && !line.trim().is_empty())?;
        let (class, said) = class_of(named)?;
        (!named.starts_with("Traceback")).then(|| (class.to_owned(), said.to_owned(), named.trim_end().to_owned()))
    };
    let last = stack.rfind("Traceback (most recent call last)")?;
    let (kind, said, _) = of(&stack[last..])?;
    let before = stack[..last].rfind(CAUSE).and_then(|end| of(&stack[..end]));
    let message = with_cause(&kind, &said, before.as_ref().map(|(_, _, named)| named.as_str()));
    Some(Thrown { kind, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_thrown_is_read_from_the_stacks_of_each_language() {
        let cases: &[(&str, &str, &str)] = &[
            (
                "java.lang.IllegalStateException: no stock\n\tat shop.Pay.charge(Pay.java:41)\nCaused by: java.net.ConnectException: refused\n\tat net.Socket.open(Socket.java:9)\nCaused by: java.sql.SQLException: deadlock found\n\t... 2 more",
                "java.lang.IllegalStateException",
                "no stock; caused by java.sql.SQLException: deadlock found",
            ),
            (
                "Exception in thread \"main\" java.lang.NullPointerException\n\tat A.b(A.java:1)",
                "java.lang.NullPointerException",
                "java.lang.NullPointerException",
            ),
            (
                "Traceback (most recent call last):\n  File \"pay.py\", line 10, in charge\n    bank.send(order)\nValueError: no route\n",
                "ValueError",
                "no route",
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in a\nKeyError: 'x'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"b.py\", line 2, in b\nshop.errors.Refused: no order",
                "shop.errors.Refused",
                "no order; caused by KeyError: 'x'",
            ),
            (
                "TypeError [ERR_INVALID_ARG_TYPE]: The \"path\" argument\n    at open (node:fs:1:2)\n  [cause]: Error: disk full",
                "TypeError",
                "The \"path\" argument; caused by Error: disk full",
            ),
            (
                "System.InvalidOperationException: no stock ---> System.TimeoutException: too late\n   at Shop.Pay() in Pay.cs:line 3",
                "System.InvalidOperationException",
                "no stock; caused by System.TimeoutException: too late",
            ),
            (
                "[object] (RuntimeException(code: 0): no route at /srv/pay.php:41)\n[stacktrace]\n#0 /srv/main.php(7): charge()\n#1 {main}",
                "RuntimeException",
                "no route",
            ),
            ("panic: assignment to nil map\n\ngoroutine 1 [running]:\nmain.main()", "panic", "assignment to nil map"),
            ("thread 'main' panicked at src/main.rs:3:5:\nno route\nstack backtrace:", "panic", "no route"),
            ("thread 'main' panicked at 'no route', src/main.rs:3:5", "panic", "no route"),
            (
                "PHP Fatal error:  Uncaught RuntimeException: no route in /srv/pay.php:3\nStack trace:\n#0 {main}",
                "RuntimeException",
                "no route in /srv/pay.php:3",
            ),
        ];
        for (stack, kind, message) in cases {
            let found = thrown(stack).unwrap_or_else(|| panic!("nothing in {stack}"));
            assert_eq!((found.kind.as_str(), found.message.as_str()), (*kind, *message), "{stack}");
        }
    }

    #[test]
    fn what_is_no_stack_throws_nothing() {
        for text in [
            "",
            "{\n  \"a\": 1\n}",
            "key: value\nother: 3",
            "Error: none\nWarnings: 0",
            "panic: no\nrest",
            "at a.b(C.java:1)",
        ] {
            assert_eq!(thrown(text), None, "{text}");
        }
    }
}

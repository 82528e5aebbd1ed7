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
        || COMPOUNDS.iter().any(|end| class.len() > end.len() && class.ends_with(end))
        || is_of_rails(line);
    has.then_some((class, said))
}

/// Whether a line is the place in a source with which Node begins what it says of an exception that nobody caught:
/// `/srv/pay.js:12`, `file:///srv/pay.mjs:12`, `C:\srv\pay.js:12`, `node:events:495`.
pub fn is_node_place(line: &str) -> bool {
    let Some((path, number)) = line.rsplit_once(':') else { return false };
    if !(1..=7).contains(&number.len()) || !number.bytes().all(|b| b.is_ascii_digit()) || path.contains(' ') {
        return false;
    }
    if let Some(module) = path.strip_prefix("node:") {
        return module.starts_with(|c: char| c.is_ascii_lowercase());
    }
    let drive = path.as_bytes().first().is_some_and(u8::is_ascii_uppercase) && path.get(1..3) == Some(":\\");
    let (_, extension) = path.rsplit_once('.').unwrap_or_default();
    (path.starts_with('/') || path.starts_with("file:///") || drive)
        && matches!(extension, "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "jsx" | "tsx")
}

/// A name at the beginning of a line, and what is said behind it.
fn class_of(line: &str) -> Option<(&str, &str)> {
    let (class, rest) = line.split_at(class_end(line));
    if class.is_empty() || !(rest.is_empty() || rest.starts_with([':', ' ', '(', '['])) {
        return None;
    }
    // Rails puts what is said into brackets: `ActionController::RoutingError (No route matches …):`.
    if let Some(said) = in_brackets(rest) {
        return Some((class, said));
    }
    // Node.js puts the code in brackets: `TypeError [ERR_INVALID_ARG_TYPE]: …`; .NET does so, too: `SqlException (0x80131904): …`.
    let code = rest.strip_prefix(" [").and_then(|code| code.split_once("]: "));
    let number =
        || rest.strip_prefix(" (").and_then(|code| code.split_once("): ")).filter(|(code, _)| !code.contains(' '));
    let rest = code.or_else(number).map_or(rest, |(_, said)| said);
    // Sinatra: `RuntimeError - no route:`.
    if let Some(said) = rest.strip_prefix(" - ") {
        return Some((class, said.trim_end().trim_end_matches(':')));
    }
    Some((class, rest.trim_start_matches([':', ' ']).trim_end()))
}

/// Where a class ends with which a line begins: letters, digits, and the marks between the parts of a name; Ruby's and C++'s `::` too.
fn class_end(line: &str) -> usize {
    let bytes = line.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let scope = *byte == b':'
            && bytes.get(at + 1) == Some(&b':')
            && bytes.get(at + 2).is_some_and(u8::is_ascii_alphabetic)
            && at > 0;
        if scope {
            at += 2;
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'\\' | b'/') {
            at += 1;
        } else {
            break;
        }
    }
    at
}

/// What stands in brackets behind a class up to the end of its line: ` (no route):`.
fn in_brackets(text: &str) -> Option<&str> {
    text.strip_prefix(" (")?.trim_end().strip_suffix("):").filter(|said| !said.contains("): "))
}

/// Whether a line names an exception as Rails does: `ActiveRecord::RecordNotFound (Couldn't find Order):`.
fn is_of_rails(line: &str) -> bool {
    let (class, rest) = line.split_at(class_end(line));
    class.starts_with(|c: char| c.is_ascii_uppercase()) && class.contains("::") && in_brackets(rest).is_some()
}

/// What was thrown, of a stack that begins with it, or that says it at its end, as Python's do. `None` for a text that is no stack.
pub fn thrown(stack: &str) -> Option<Thrown> {
    let stack = stack.trim_start_matches(['\n', '\r', ' ']);
    if let Some(of_python) = stack.find(TRACEBACK).filter(|at| *at == 0 || stack[..*at].ends_with('\n')) {
        return of_python_at(stack, of_python);
    }
    if stack.starts_with("+ Exception Group Traceback") {
        return of_group(stack);
    }
    // Dropwizard marks the lines of stacks.
    if stack.strip_prefix("! ").is_some_and(|line| exception(line).is_some()) {
        let lines: Vec<&str> = stack.lines().map(|line| line.strip_prefix("! ").unwrap_or(line)).collect();
        return thrown(&lines.join("\n"));
    }
    let mut lines = stack.lines();
    let first = lines.next()?.trim_end();
    if let Some(said) = panic_in(first) {
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
    // Node's place, the line of its source and a caret stand before what was thrown.
    if is_node_place(first) {
        let at = stack.lines().skip(1).find(|line| exception(line).is_some())?;
        return named(at, lines.skip_while(|line| *line != at).skip(1));
    }
    let bare = PREFIXES.iter().find_map(|prefix| first.strip_prefix(prefix)).unwrap_or(first);
    let bare = bare
        .strip_prefix("Exception in thread ")
        .and_then(|rest| rest.split_once("\" "))
        .map_or(bare, |(_, name)| name);
    named(bare, lines.clone())
        .or_else(|| of_elixir(stack))
        .or_else(|| of_erlang(stack))
        .or_else(|| of_chain(bare, lines.clone()))
        .or_else(|| of_report(bare, lines.clone()))
        .or_else(|| of_ruby(bare, lines.clone()))
        .or_else(|| of_monolog(stack))
        .or_else(|| of_gin(first, lines.clone()))
        .or_else(|| within(bare, lines))
        .or_else(|| later(stack))
}

/// What a line says of a panic of Go: a program's, or a request's that `net/http` served.
fn panic_in(first: &str) -> Option<&str> {
    let said = first.strip_prefix("panic: ").or_else(|| first.strip_prefix("fatal error: "));
    said.or_else(|| {
        first.split_once("http: panic serving ").and_then(|(_, rest)| rest.split_once(": ")).map(|(_, said)| said)
    })
}

/// What was thrown, of a line that begins with its class, and the lines behind it.
fn named<'t>(line: &'t str, lines: impl Iterator<Item = &'t str> + Clone) -> Option<Thrown> {
    let (kind, said) =
        exception(line).or_else(|| class_of(line).filter(|(class, _)| has_calls(line, class, lines.clone())))?;
    if !is_of_rails(line) && !lines.clone().any(is_of_stack) {
        return None;
    }
    // .NET names what is inside in the same line, or in lines of their own.
    let (said, inner) = said.split_once(" ---> ").map_or((said, None), |(said, inner)| (said, Some(inner)));
    let cause = lines.filter_map(cause_of).last().or(inner.map(|inner| inner.rsplit(" ---> ").next().unwrap_or(inner)));
    Some(Thrown { kind: kind.to_owned(), message: with_cause(kind, said, cause) })
}

/// Whether a name has an unusual ending for an exception, and is one all the same: a colon and the first call are behind it.
fn has_calls<'t>(line: &str, class: &str, mut lines: impl Iterator<Item = &'t str>) -> bool {
    let capital =
        class.rsplit(['.', '/']).next().is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase()));
    let said = &line[class.len()..];
    (said.starts_with(": ") || (said.is_empty() && class.contains('.')))
        && capital
        && lines.next().is_some_and(|line| line.trim_start().starts_with("at ") && line.trim_end().ends_with(')'))
}

/// Elixir's: `** (KeyError) key :amount not found`. What ended a process names what was raised in it in the next line.
fn of_elixir(stack: &str) -> Option<Thrown> {
    let mut found = None;
    for line in stack.lines() {
        let raised = line.trim_start().strip_prefix("** (").and_then(|rest| rest.split_once(") "));
        let is_name = |kind: &str| !kind.is_empty() && class_end(kind) == kind.len() || kind.starts_with("EXIT");
        let raised = raised.filter(|(kind, _)| is_name(kind));
        match raised {
            Some(raised) => found = Some(raised),
            None if found.is_some() => break,
            None => {}
        }
    }
    let (kind, said) = found?;
    Some(Thrown { kind: kind.to_owned(), message: said.trim_end().to_owned() })
}

/// Erlang's: what a crash report says of a process.
fn of_erlang(stack: &str) -> Option<Thrown> {
    let mut lines = stack.lines().map(str::trim);
    let raised = |line: &str| {
        let rest = line.strip_prefix("exception ")?;
        ["error", "exit", "throw"]
            .into_iter()
            .find(|kind| rest.strip_prefix(*kind).is_some_and(|rest| rest.starts_with(": ")))
    };
    let line = lines.find(|line| raised(line).is_some())?;
    if !lines.next().is_some_and(|next| next.starts_with("in ")) {
        return None;
    }
    let (_, said) = line.split_once(": ")?;
    Some(Thrown { kind: raised(line)?.to_owned(), message: said.to_owned() })
}

/// Monolog's: `[object] (RuntimeException(code: 0): no bank at /srv/Pay.php:31)`.
fn of_monolog(stack: &str) -> Option<Thrown> {
    let (_, object) = stack.split_once("[object] (")?;
    let (class, rest) = object.lines().next()?.split_once("(code: ")?;
    let (_, said) = rest.split_once("): ")?;
    let said = said.rsplit_once(" at /").map_or(said, |(said, _)| said);
    let kind = class.replace("\\\\", "\\");
    (class_end(class) == class.len()).then(|| Thrown { kind, message: said.to_owned() })
}

/// What gin says of a panic: behind the request, and before the first call with its place and address.
fn of_gin<'t>(first: &str, lines: impl Iterator<Item = &'t str>) -> Option<Thrown> {
    if !first.ends_with("panic recovered:") {
        return None;
    }
    let said = lines
        .take_while(|line| !(line.contains(".go:") && line.contains(" (0x")))
        .filter(|line| !line.trim().is_empty());
    Some(Thrown { kind: "panic".to_owned(), message: said.last()?.trim().to_owned() })
}

/// What eyre reports: the causes have numbers, and `Location:` follows.
fn of_report<'t>(first: &str, lines: impl Iterator<Item = &'t str> + Clone) -> Option<Thrown> {
    let numbered = |line: &'t str| line.trim().split_once(": ").filter(|(number, _)| number.parse::<u8>().is_ok());
    if !lines.clone().any(|line| line.trim_end() == "Location:") {
        return None;
    }
    let own = first.strip_prefix("0: ");
    let mut causes = lines.map_while(numbered).map(|(_, cause)| cause);
    let said = own.or_else(|| causes.next().filter(|_| first == "Error:"))?;
    Some(Thrown { kind: "Error".to_owned(), message: with_cause("Error", said, causes.last()) })
}

/// What was thrown where other lines stand before it, and its calls follow at once.
fn later(stack: &str) -> Option<Thrown> {
    let mut lines = stack.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let calls = || lines.clone().next().is_some_and(|next| is_of_stack(next) && next.contains(['(', ':', '<']));
        if exception(line).is_some() && !is_of_stack(line) && calls() {
            return named(line, lines);
        }
    }
    None
}

/// What Rust's error reports say: a message, and behind `Caused by:` the causes, each in a line that is set in.
fn of_chain<'t>(first: &str, lines: impl Iterator<Item = &'t str>) -> Option<Thrown> {
    let mut lines = lines.skip_while(|line| line.trim().is_empty());
    let is_chain = lines.next()?.trim_end() == "Caused by:";
    let causes = lines.take_while(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty());
    let last = causes.last().filter(|_| is_chain && !first.is_empty())?.trim();
    let numbered = last.split_once(": ").filter(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
    let cause = numbered.map_or(last, |(_, cause)| cause);
    let said = first.strip_prefix("Error: ").unwrap_or(first);
    Some(Thrown { kind: "Error".to_owned(), message: with_cause("Error", said, Some(cause)) })
}

/// Ruby's: the class stands behind what it says, in brackets, or has no usual ending; calls follow.
fn of_ruby<'t>(first: &str, mut lines: impl Iterator<Item = &'t str>) -> Option<Thrown> {
    if !lines.find(|line| !line.trim().is_empty()).is_some_and(is_ruby_call) {
        return None;
    }
    let behind = first.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
    let is_class = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && class_end(name) == name.len()
            && name.contains(|c: char| c.is_ascii_lowercase())
    };
    if let Some((said, class)) = behind.filter(|(_, class)| is_class(class)) {
        // What nobody caught has its place in front.
        let said = if is_ruby_call(said) { said.split_once("': ").map_or(said, |(_, said)| said) } else { said };
        return Some(Thrown { kind: class.to_owned(), message: said.to_owned() });
    }
    // What Puma shows of an exception.
    let object = first.split_once("#<").and_then(|(_, object)| object.trim_end().strip_suffix('>')?.split_once(": "));
    if let Some((class, said)) = object.filter(|(class, _)| is_class(class)) {
        return Some(Thrown { kind: class.to_owned(), message: said.to_owned() });
    }
    let (class, said) = class_of(first).filter(|(class, _)| is_class(class) && class.contains("::"))?;
    Some(Thrown { kind: class.to_owned(), message: with_cause(class, said, None) })
}

/// Words of a line before which an exception is looked for.
const WORDS: usize = 100;

/// What was thrown where a line names it behind other words and its stack follows at once: `charge failed: TypeError: no amount`.
fn within<'t>(line: &'t str, lines: impl Iterator<Item = &'t str> + Clone) -> Option<Thrown> {
    // `at noon` is no call.
    let is_call = |line: &str| is_of_stack(line) && line.contains(['(', ':', '.', '<', '>']);
    if is_of_stack(line) || !lines.clone().find(|line| !line.trim().is_empty()).is_some_and(is_call) {
        return None;
    }
    // Each is compared with all that is behind it.
    let mut begins = memchr::memchr2_iter(b' ', b'|', line.as_bytes()).take(WORDS).map(|at| &line[at + 1..]);
    let told = |text: &&str| {
        let rest = &text[class_end(text)..];
        exception(text).is_some() && (rest.is_empty() || rest.starts_with(": ") || in_brackets(rest).is_some())
    };
    named(begins.find(told)?, lines)
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
    numbered || begins || is_ruby_call(line)
}

/// Whether a line is what Ruby says of an exception that nobody caught: `pay.rb:41:in 'charge': no route (Bank::Refused)`.
pub fn is_ruby_crash(line: &str) -> bool {
    let class = line.strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")).map(|(_, class)| class);
    class.is_some_and(|class| class.starts_with(|c: char| c.is_ascii_uppercase()) && class_end(class) == class.len())
        && line
            .split_once(".rb:")
            .is_some_and(|(place, call)| !place.contains(' ') && is_ruby_call(call) && call.contains("': "))
}

/// Whether a line has the place of a call as Ruby writes it.
fn is_ruby_call(line: &str) -> bool {
    line.contains(":in `") || line.contains(":in '")
}

/// The exception that a line of a stack names as the cause.
fn cause_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let cause = ["Caused by: ", "---> ", "[cause]: "].iter().find_map(|begin| line.strip_prefix(begin))?;
    // .NET numbers what an `AggregateException` holds: `---> (Inner Exception #1) System.TimeoutException: late<---`.
    let inner = cause.strip_prefix("(Inner Exception #").and_then(|rest| rest.split_once(") "));
    Some(inner.map_or(cause, |(_, inner)| inner).trim_end_matches("<---").trim_end_matches(" {"))
}

/// What Python's stacks begin with.
const TRACEBACK: &str = "Traceback (most recent call last)";

/// Python's, whose first traceback begins at a place: the exception is the first line behind the calls that is not indented. Only what
/// comes before a traceback as its cause counts beside the last one.
fn of_python_at(stack: &str, first: usize) -> Option<Thrown> {
    const CAUSE: &str = "The above exception was the direct cause";
    let stack = &stack[first..];
    let of = |traceback: &str| {
        // Loguru marks the call that caught it: `> File "pay.py", line 31, in charge`.
        let is_call = |line: &str| line.starts_with([' ', '\t', '>']) || line.trim().is_empty();
        let named = traceback.lines().skip(1).find(|line| !is_call(line))?;
        let (class, said) = class_of(named)?;
        (!named.starts_with("Traceback")).then(|| (class.to_owned(), said.to_owned(), named.trim_end().to_owned()))
    };
    let last = stack.rfind(TRACEBACK)?;
    let (kind, said, _) = of(&stack[last..])?;
    let before = stack[..last].rfind(CAUSE).and_then(|end| of(&stack[stack[..end].rfind(TRACEBACK)?..end]));
    let message = with_cause(&kind, &said, before.as_ref().map(|(_, _, named)| named.as_str()));
    Some(Thrown { kind, message })
}

/// Python's groups of exceptions, whose lines begin with a bar.
fn of_group(stack: &str) -> Option<Thrown> {
    let mut inside = stack.lines().skip(1).map_while(|line| line.trim_start().strip_prefix("| "));
    let (class, said) = class_of(inside.find(|line| !line.starts_with(' '))?)?;
    Some(Thrown { kind: class.to_owned(), message: with_cause(class, said, None) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stacks, each with the class and the words of what was thrown.
    fn assert_thrown(cases: &[(&str, &str, &str)]) {
        for (stack, kind, message) in cases {
            let found = thrown(stack).unwrap_or_else(|| panic!("nothing in {stack}"));
            assert_eq!((found.kind.as_str(), found.message.as_str()), (*kind, *message), "{stack}");
        }
    }

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
                "Traceback (most recent call last):\n\n  File \"a.py\", line 1, in <module>\n    main()\n    └ <function main>\n\n> File \"pay.py\", line 31, in charge\n    return 1 / n\n               └ 0\n\nZeroDivisionError: division by zero",
                "ZeroDivisionError",
                "division by zero",
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
        assert_thrown(cases);
    }

    #[test]
    fn python_and_ruby_name_it_in_ways_of_their_own() {
        let cases: &[(&str, &str, &str)] = &[
            // What is logged behind a traceback is no exception, and what an exception says may have lines of its own.
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in a\ndb.UniqueViolation: twice\nDETAIL:  Key (id)=(7)\n\nbegins: again",
                "db.UniqueViolation",
                "twice",
            ),
            (
                "Server: web\nTraceback (most recent call last):\n  File \"a.py\", line 1, in a\nKeyError: 'x'",
                "KeyError",
                "'x'",
            ),
            (
                "  + Exception Group Traceback (most recent call last):\n  |   File \"b.py\", line 3, in b\n  | ExceptionGroup: many (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: 1",
                "ExceptionGroup",
                "many (2 sub-exceptions)",
            ),
            (
                "ActionController::RoutingError (No route matches [GET] \"/a\"):\n  ",
                "ActionController::RoutingError",
                "No route matches [GET] \"/a\"",
            ),
            (
                "NoMethodError (undefined method `x' for nil:NilClass):\n  \napp/pay.rb:7:in `create'",
                "NoMethodError",
                "undefined method `x' for nil:NilClass",
            ),
            ("no route (RuntimeError)\n/srv/pay.rb:41:in 'charge'", "RuntimeError", "no route"),
            (
                "pay.rb:41:in 'charge': no route (Bank::Refused)\n\tfrom pay.rb:7:in '<main>'",
                "Bank::Refused",
                "no route",
            ),
            ("ActiveRecord::RecordNotFound: no order\npay.rb:7:in `find'", "ActiveRecord::RecordNotFound", "no order"),
        ];
        assert_thrown(cases);
    }

    #[test]
    fn runtimes_say_more_than_the_exception() {
        let cases: &[(&str, &str, &str)] = &[
            (
                "2024/05/06 07:08:00 http: panic serving [::1]:51022: no route\ngoroutine 7 [running]:\nmain.pay()",
                "panic",
                "no route",
            ),
            (
                "failed to read config\n\nCaused by:\n    0: while opening x\n    1: No such file (os error 2)",
                "Error",
                "failed to read config; caused by No such file (os error 2)",
            ),
            ("Error: no config\n\nCaused by:\n    no such file", "Error", "no config; caused by no such file"),
            (
                "/srv/pay.js:12\n    throw new TypeError(\"no amount\");\n    ^\n\nTypeError: no amount\n    at charge (/srv/pay.js:12:9)\n\nNode.js v20.11.0",
                "TypeError",
                "no amount",
            ),
            (
                "node:events:495\n      throw er; // Unhandled 'error' event\n      ^\n\nError: refused\n    at a (node:net:1:2)",
                "Error",
                "refused",
            ),
            (
                "** (RuntimeError) no route\n    (shop 0.1.0) lib/shop/pay.ex:31: Shop.Pay.charge/1",
                "RuntimeError",
                "no route",
            ),
            (
                "Request: POST /pay\n** (exit) an exception was raised:\n    ** (KeyError) key :amount not found\n        (shop 0.1.0) lib/shop/pay.ex:31: Shop.Pay.charge/1",
                "KeyError",
                "key :amount not found",
            ),
        ];
        assert_thrown(cases);
    }

    #[test]
    fn exceptions_stand_behind_other_words() {
        let cases: &[(&str, &str, &str)] = &[
            ("charge failed: TypeError: no amount\n    at charge (/srv/pay.js:12:9)", "TypeError", "no amount"),
            (
                "Charge failed System.Net.HttpException: refused (bank:443)\n ---> System.Net.SocketException (111): refused\n   at a.b()",
                "System.Net.HttpException",
                "refused (bank:443); caused by System.Net.SocketException (111): refused",
            ),
            (
                "performing PayJob in 102.51ms: RuntimeError (no bank):\n/srv/pay_job.rb:3:in 'perform'",
                "RuntimeError",
                "no bank",
            ),
            ("RuntimeError - no route:\n\t/srv/app.rb:31:in `block'", "RuntimeError", "no route"),
            (
                "Rack app (\"GET /pay\"): #<Bank::Refused: no route>\n/srv/pay.rb:31:in `charge'",
                "Bank::Refused",
                "no route",
            ),
            (
                "Data.SqlException (0x80131904): too late ---> Win32Exception (0x80004005): slow\n   at a.b()",
                "Data.SqlException",
                "too late; caused by Win32Exception (0x80004005): slow",
            ),
            (
                "charge failed|Pay.NoStockException: no stock\n   at a.b() in Pay.cs:line 4",
                "Pay.NoStockException",
                "no stock",
            ),
            (
                "clojure.lang.ExceptionInfo: no route\n    at shop.pay$charge.invoke(pay.clj:30)",
                "clojure.lang.ExceptionInfo",
                "no route",
            ),
            (
                "Connection id \"0HN1\": an exception was not caught.\n      Pay.NoStockException: no stock\n         at a.b()",
                "Pay.NoStockException",
                "no stock",
            ),
            (
                "! java.io.IOException: refused\n! at a.B.c(B.java:1)\n! Causing: X: no",
                "java.io.IOException",
                "refused",
            ),
            (
                "crasher:\n    pid: <0.71.0>\n    exception error: no match of {error,no_route}\n      in function  pay:charge/1 (pay.erl, line 31)",
                "error",
                "no match of {error,no_route}",
            ),
            (
                "no bank {\"exception\":\"[object] (App\\\\NoRoute(code: 0): no bank at /srv/Pay.php:31)\n[stacktrace]\n#0 {main}",
                "App\\NoRoute",
                "no bank",
            ),
            (
                "[Recovery] 07:08:00 panic recovered:\nGET /pay HTTP/1.1\nHost: shop\n\nno route\n/srv/pay.go:31 (0x8a1b2c)\n\tcharge: x[3]",
                "panic",
                "no route",
            ),
            (
                "Error:\n   0: no config\n   1: no such file\n\nLocation:\n   src/main.rs:12",
                "Error",
                "no config; caused by no such file",
            ),
            (
                "System.AggregateException: several. (no route)\n ---> Pay.NoRoute: no route\n   at a.b()\n ---> (Inner Exception #1) System.TimeoutException: late<---",
                "System.AggregateException",
                "several. (no route); caused by System.TimeoutException: late",
            ),
        ];
        assert_thrown(cases);
    }

    #[test]
    fn node_names_a_place_first() {
        for (line, expected) in [
            ("/srv/pay.js:12", true),
            ("file:///srv/pay.mjs:12", true),
            ("C:\\srv\\pay.js:12", true),
            ("node:internal/modules/cjs/loader:1080", true),
            ("node:events:495", true),
            ("/srv/pay.py:12", false),
            ("/srv/my pay.js:12", false),
            ("node:12", false),
            ("pay.js:12", false),
            ("/srv/pay.js", false),
        ] {
            assert_eq!(is_node_place(line), expected, "{line}");
        }
    }

    #[test]
    fn ruby_says_the_class_at_the_end() {
        assert!(is_ruby_crash("/srv/pay.rb:41:in 'Pay#charge': no route (Bank::Refused)"));
        assert!(is_ruby_crash("pay.rb:41:in `charge': no route (RuntimeError)"));
        assert!(!is_ruby_crash("/srv/pay.rb:41:in 'charge'"));
        assert!(!is_ruby_crash("at a.b(C.java:1)") && !is_ruby_crash("see pay.rb:41:in 'charge': it (Works)"));
    }

    #[test]
    fn what_is_no_stack_throws_nothing() {
        for text in [
            "",
            "{\n  \"a\": 1\n}",
            "key: value\nother: 3",
            "Error: none\nWarnings: 0",
            "panic: no\nrest",
            "Caused by:\n  the bank",
            "the TypeError: of a form\nnext line",
            "see Error: below\n\nat noon",
            "orders (Paid)\nnext",
            "at a.b(C.java:1)",
        ] {
            assert_eq!(thrown(text), None, "{text}");
        }
    }
}

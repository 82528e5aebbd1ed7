//! What varies in a text by its form: numbers, ids, addresses, times, paths, quoted values.

/// Stands for what varies.
pub const ANY: &str = "<*>";

/// Names of months and days, as in times that are written for people.
const CALENDAR: &[&str] = &[
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu",
    "Fri", "Sat", "Sun",
];
/// Letters alone are hexadecimal from this length on.
const HEX: usize = 8;

/// Calls `each` for the words of a text, masked; several variable ones in a row are one.
pub(super) fn words(text: &str, mut each: impl FnMut(&str)) {
    let mut masked = String::new();
    let mut last_varies = false;
    for word in text.split_whitespace() {
        masked.clear();
        mask(word, &mut masked);
        let varies = masked == ANY;
        if !(varies && last_varies) {
            each(&masked);
        }
        last_varies = varies;
    }
}

/// Appends a word, masked.
fn mask(word: &str, out: &mut String) {
    let inner = word.trim_start_matches(['[', '(', '<', '{', '"', '\'']);
    let before = &word[..word.len() - inner.len()];
    let core = inner.trim_end_matches([']', ')', '>', '}', '"', '\'', ',', ';', ':', '.', '!', '?']);
    let after = &inner[core.len()..];
    if core.is_empty() {
        out.push_str(word);
        return;
    }
    let is_quoted = ['"', '\''].iter().any(|quote| before.ends_with(*quote) && after.starts_with(*quote));
    if is_quoted {
        out.push_str(ANY);
        return;
    }
    // Brackets come and go with the value; what structures the sentence stays.
    let after = if after.contains([',', ';', ':']) { after } else { "" };
    if CALENDAR.contains(&core) {
        push(out, [before, ANY, after]);
    } else if let Some((name, _)) = core.split_once('=').filter(|(name, value)| !value.is_empty() && !has_digit(name)) {
        push(out, [before, name, "=", ANY]);
    } else if has_digit(core) || is_hexadecimal(core) {
        let named = core.split_once(':').filter(|(name, value)| {
            !core.starts_with('/') && !name.is_empty() && !value.is_empty() && !has_digit(name) && !name.contains('.')
        });
        match named {
            Some((name, _)) => push(out, [before, name, ":", ANY]),
            None => out.push_str(ANY),
        }
    } else if core.len() > 1 && core.starts_with('/') || core.contains("://") {
        out.push_str(ANY);
    } else if is_dotted(core) {
        push(out, [ANY, after]);
    } else {
        out.push_str(word);
    }
}

fn push<const N: usize>(out: &mut String, parts: [&str; N]) {
    for part in parts {
        out.push_str(part);
    }
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_hexadecimal(text: &str) -> bool {
    text.len() >= HEX && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A host, a class, a file: words of letters joined by dots, and what follows a colon.
fn is_dotted(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or(text);
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*$".contains(&byte))
    };
    name.contains('.') && name.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_by_its_form_is_masked() {
        for (text, masked) in [
            ("Order 4711 refused", "Order <*> refused"),
            ("order 4711 of 12, 3 left", "order <*> of <*> left"),
            ("session 2f1ac9d4-aaaa-bbbb-cccc-0123456789ab closed", "session <*> closed"),
            ("uid=0 user=root: denied", "uid=<*> user=<*> denied"),
            ("GET /v2/orders?x=1 in 12ms", "GET <*> in <*>"),
            ("cannot reach https://sap.example/odata, giving up", "cannot reach <*> giving up"),
            ("cannot reach sap.example.com: timeout", "cannot reach <*>: timeout"),
            ("unknown customer 'ACME'.", "unknown customer <*>"),
            ("took: 12 ms, port:8080", "took: <*> ms, port:<*>"),
            ("on Fri Jul 1 we faded out deadbeef", "on <*> we faded out <*>"),
            ("nothing varies here!", "nothing varies here!"),
            ("", ""),
        ] {
            let mut found = Vec::new();
            words(text, |word| found.push(word.to_owned()));
            assert_eq!(found.join(" "), masked, "{text}");
        }
    }
}

//! Texts without what varies by its form: numbers, ids, addresses, times, paths, quoted values; and templates of such texts.

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
pub fn words(text: &str, mut each: impl FnMut(&str)) {
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

/// A text, masked. A masked text is its own.
pub fn masked(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    words(text, |word| {
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(word);
    });
    all
}

/// The id of a template, which follows from its text. FNV-1a, folded into eight hexadecimal digits:
/// <http://www.isthe.com/chongo/tech/comp/fnv/>. A hash of a library may change with its version.
pub fn id_of(template: &str) -> String {
    let hash = template
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{:08x}", (hash ^ hash >> 32) & 0xffff_ffff)
}

/// Whether a text looks like the id of a template.
pub fn is_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The regular expression of a template, for masked texts: [`ANY`] stands for any one word, except as the first one, which says
/// what a text is about.
pub fn template(text: &str) -> String {
    let word = |(place, word): (usize, &str)| match word {
        ANY if place > 0 => r"\S+".to_owned(),
        word => regex::escape(word),
    };
    format!("^{}$", text.split_whitespace().enumerate().map(word).collect::<Vec<_>>().join(" "))
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
            assert_eq!(super::masked(text), masked, "{text}");
            assert_eq!(super::masked(masked), masked, "a masked text is its own");
        }
    }

    #[test]
    fn a_template_stands_for_the_words_of_its_gaps() {
        let fits = |of: &str, text: &str| regex::Regex::new(&template(of)).expect("a regex").is_match(&masked(text));
        assert!(fits("session of <*> closed after <*> s", "session of ann closed after 12 s"));
        assert!(fits("session of <*> closed after <*> s", "session of 4711 closed after 12 s"));
        assert!(!fits("session of <*> closed after <*> s", "session of ann and bob closed after 12 s"));
        assert!(!fits("session of <*> closed", "the session of ann closed"));
        // A text that has nothing but a number is no text of one word.
        assert!(fits("<*>", "4711") && !fits("<*>", "refused"));
        assert_eq!(id_of("session of <*> closed").len(), 8);
        assert!(is_id(&id_of("refused")) && !is_id("refused?") && !is_id("ABCDEF12"));
    }
}

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

const QUOTES: &[u8] = b"\"'`";

/// A quoted value is one word up to this length in bytes; a longer stretch between quotes is hardly one.
const QUOTED: usize = 64;

/// The words of a text: what stands between blanks, and a quoted value of several words with what it is joined to, such as
/// `name="Blue Sky"`.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    let has_quotes = text.bytes().any(|byte| QUOTES.contains(&byte));
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let end = if has_quotes { quoted_end(rest, end).unwrap_or(end) } else { end };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Where the word ends that begins a text, and in the first part of which a quotation begins that ends in a later one.
fn quoted_end(text: &str, end: usize) -> Option<usize> {
    let at = text.as_bytes()[..end].iter().position(|byte| QUOTES.contains(byte))?;
    let quote = text.as_bytes()[at];
    let before = &text[..at];
    let opens = before.is_empty() || before.ends_with(['=', ':']) || before.bytes().all(|byte| b"[({<".contains(&byte));
    let bytes = text.as_bytes();
    // An apostrophe within a word is none, and one that closes in the same word needs nothing.
    if !opens || bytes[at + 1..end].contains(&quote) || end == at + 1 {
        return None;
    }
    let limit = bytes.len().min(at + 2 + QUOTED);
    let closes = |close: &usize| {
        let next = bytes.get(close + 1);
        bytes[*close] == quote
            && !bytes[close - 1].is_ascii_whitespace()
            && next.is_none_or(|next| next.is_ascii_whitespace() || b",;:.!?)]}>".contains(next))
    };
    let close = (end..limit).find(closes)?;
    // A request between quotes is no name: its method says what the text is about.
    if text[at + 1..close].contains('/') {
        return None;
    }
    let after = &text[close + 1..];
    Some(close + 1 + after.find(char::is_whitespace).unwrap_or(after.len()))
}

/// Calls `each` for the words of a text, masked; several variable ones in a row are one.
pub fn words(text: &str, mut each: impl FnMut(&str)) {
    let mut masked = String::new();
    let mut last_varies = false;
    for word in pieces(text) {
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
    let inner = word.trim_start_matches(['[', '(', '<', '{', '"', '\'', '`']);
    let before = &word[..word.len() - inner.len()];
    let core = inner.trim_end_matches([']', ')', '>', '}', '"', '\'', '`', ',', ';', ':', '.', '!', '?']);
    let after = &inner[core.len()..];
    if core.is_empty() {
        out.push_str(word);
        return;
    }
    let is_quoted = ['"', '\'', '`'].iter().any(|quote| before.ends_with(*quote) && after.starts_with(*quote));
    if is_quoted {
        out.push_str(ANY);
        return;
    }
    if core.contains(char::is_whitespace) {
        // Several words are a quoted value, see `pieces`: what it is joined to stays.
        let name = core.find(['"', '\'', '`']).map_or("", |quote| &core[..quote]);
        push(out, [name, ANY]);
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
            !core.starts_with('/')
                && !value.starts_with("//")
                && !name.is_empty()
                && !value.is_empty()
                && !has_digit(name)
                && !name.contains('.')
        });
        match named {
            Some((name, _)) => push(out, [before, name, ":", ANY]),
            None => out.push_str(ANY),
        }
    } else if core.len() > 1 && core.starts_with('/') || core.contains("://") || is_windows_path(core) || is_mac(core) {
        out.push_str(ANY);
    } else if is_dotted(core) || is_mail(core) {
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

/// A path of Windows: `C:\\Users\\ann`, `\\\\server\\share`.
fn is_windows_path(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic())
        || text.len() > 2 && text.starts_with("\\\\")
}

/// The address of a network interface that happens to have no digit: `aa:bb:cc:dd:ee:ff`.
fn is_mac(text: &str) -> bool {
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.len() == 17 && (text.split(':').all(is_pair) || text.split('-').all(is_pair))
}

/// An address of mail.
fn is_mail(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && is_dotted(host))
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
            ("unknown customer 'ACME Steel Works' in order 7", "unknown customer <*> in order <*>"),
            ("refused: name=\"Blue Sky Ltd\", plant=1", "refused: name=<*> plant=<*>"),
            ("it didn't say 'no' to ann's order", "it didn't say <*> to ann's order"),
            ("the customer's order and the vendor's order", "the customer's order and the vendor's order"),
            ("served \"GET /v2/orders HTTP/1.1\" status: 200", "served \"GET <*> status: <*>"),
            ("'an unclosed quotation stays", "'an unclosed quotation stays"),
            ("mail to ann.lee@shop.example bounced", "mail to <*> bounced"),
            ("mail to bob@shop.example, again", "mail to <*>, again"),
            ("see http://b.example.org:8080/y?z=1 and https://b.example.org/y", "see <*> and <*>"),
            (r"cannot open C:\Users\bob\x.txt or \\files\orders", "cannot open <*> or <*>"),
            ("link aa:bb:cc:dd:ee:ff is down", "link <*> is down"),
            ("no column `Two Three` in `orders`", "no column <*> in <*>"),
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

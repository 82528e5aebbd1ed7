//! The parts of a line's head, and what separates them.

/// A longer token is no part of a head, in bytes.
pub(crate) const TOKEN_BYTES: usize = 96;

/// Skips what separates the parts of a head: spaces, a closing bracket, `|`, `,`, and `-` or `:` before a space.
pub(crate) fn separators(text: &str) -> &str {
    let bytes = text.as_bytes();
    let blank = |at: usize| matches!(bytes.get(at), Some(b' ' | b'\t'));
    let (mut at, mut apart) = (0, false);
    loop {
        let start = at;
        while blank(at) {
            at += 1;
            apart = true;
        }
        match bytes.get(at) {
            // Logback's own messages are set apart by `|-`.
            Some(b'|') => at += 1 + usize::from(bytes.get(at + 1) == Some(&b'-')),
            Some(b']' | b')' | b'>' | b'}' | b'"' | b',' | b';') if !apart => at += 1,
            Some(b'-' | b':') if blank(at + 1) => at += 1,
            Some(0xe2) => {
                let dash = ["–", "•"].iter().find(|mark| text[at..].starts_with(**mark) && blank(at + mark.len()));
                at += dash.map_or(0, |mark| mark.len());
            }
            _ => {}
        }
        if at == start {
            return &text[at..];
        }
    }
}

/// The first token: a group in brackets, or what ends at a space or `|`.
pub(crate) fn token(text: &str) -> Option<(&str, &str)> {
    let close = match text.as_bytes().first()? {
        b'[' => ']',
        b'(' => ')',
        b'{' => '}',
        b'<' => '>',
        _ => {
            let end = text.find([' ', '\t', '|']).unwrap_or(text.len());
            return (end > 0).then(|| text.split_at(end));
        }
    };
    let limit = text.floor_char_boundary(TOKEN_BYTES);
    let end = text[..limit].find(close)?;
    Some(text.split_at(end + 1))
}

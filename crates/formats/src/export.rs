//! Records whose fields stand in a line each, as `journalctl -o export` and `-o verbose` write them.

use crate::read::first_line;

/// An object of the fields that stand in a line each: `NAME=value`. A value with a newline stands behind its name alone and its length
/// (systemd.io, "Journal Export Formats").
pub(crate) fn object_of_lines(text: &str) -> String {
    let mut object = serde_json::Map::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, next) = first_line(rest);
        rest = next;
        // Without `=` a name is in capitals; with it, others are as they are (`journalctl -o verbose`, which indents them).
        let is_name = |line: &str| line.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        let field = line.trim_start().split_once('=');
        let is_field = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if let Some((name, value)) = field.filter(|(name, _)| is_field(name)) {
            object.insert(name.to_owned(), value.into());
        } else if !line.is_empty()
            && is_name(line)
            && let Some((value, next)) = measured(next)
        {
            object.insert(line.to_owned(), value.into());
            rest = next;
        }
    }
    serde_json::Value::Object(object).to_string()
}

/// A value behind its length in eight bytes, the lowest first, and what follows its newline. Bytes of the length that are no ASCII have
/// been replaced where the text was decoded: they tell only that they were none.
fn measured(text: &str) -> Option<(&str, &str)> {
    let length: Vec<Option<u8>> =
        text.chars().take(8).map(|c| u8::try_from(u32::from(c)).ok().filter(u8::is_ascii)).collect();
    let value = &text[text.char_indices().nth(8)?.0..];
    let fits = |end: &usize| {
        let bytes = (*end as u64).to_le_bytes();
        bytes.iter().zip(&length).all(|(byte, known)| known.map_or(!byte.is_ascii(), |known| known == *byte))
    };
    let ends = memchr::memchr_iter(b'\n', value.as_bytes()).chain([value.len()]);
    let end = { ends }.find(fits)?;
    Some((&value[..end], value.get(end + 1..).unwrap_or_default()))
}

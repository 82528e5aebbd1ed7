//! The content of a line: its key, its redacted value, its path, and the filter clause for it.

use super::{Key, Kind, Line, Outline, OutlineRow, PREVIEW};
use crate::insight::size;
use crosstail_core::filter::quote;
use crosstail_core::model::{REDACTED, redact_json, redact_text, redact_whole, secret_ranges};

impl Outline {
    /// Whether a line hides a secret that can be revealed.
    pub fn is_secret(&self, index: usize) -> bool {
        self.slots.get(index).is_some_and(|slot| self.revealed.contains(&slot.hash)) || self.line(index).redacted
    }

    /// Reveals the secret in a line, or hides it again.
    pub fn reveal(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        if !self.revealed.remove(&slot.hash) {
            self.revealed.insert(slot.hash);
        }
    }

    fn key(&self, slot: &OutlineRow) -> String {
        let document = &self.documents[slot.document as usize];
        match slot.key {
            Key::Root => document.title.clone(),
            Key::Name(start, end) => unescaped(&document.text[start as usize..end as usize]),
            Key::Index(index) => format!("[{index}]"),
            Key::Row(..) => String::new(),
        }
    }

    /// The line at `index`, which must exist.
    pub fn line(&self, index: usize) -> Line {
        let slot = self.slots[index];
        let shown = self.revealed.contains(&slot.hash);
        let (value, redacted) = match slot.kind {
            Kind::Object | Kind::Array => (self.summary(&slot), false),
            Kind::Row => self.row(&slot, shown),
            _ => {
                let text = self.text(&slot);
                let whole = scalar(text, PREVIEW);
                let hidden = hide(&whole, slot.secret);
                let redacted = hidden != whole && !shown;
                let mut value = if shown { whole } else { hidden };
                if text.len() > PREVIEW {
                    value.push_str(&format!("… {}", size(text.len() as u64)));
                }
                if let Some(inside) = self.inside.get(&slot.hash).filter(|_| slot.open == Some(true)) {
                    value = format!("{}, {}", self.documents[*inside as usize].about, size(text.len() as u64));
                }
                (value, redacted)
            }
        };
        let depth = slot.depth as usize;
        Line { depth, key: self.key(&slot), value, open: slot.open, kind: slot.kind, redacted }
    }

    fn summary(&self, slot: &OutlineRow) -> String {
        let document = &self.documents[slot.document as usize];
        let about = if slot.key == Key::Root { document.about.as_str() } else { "" };
        let count = match slot.kind {
            Kind::Object if document.is_json => format!("{{{}}}", slot.count),
            Kind::Array => format!("[{}]", slot.count),
            _ => String::new(),
        };
        format!("{count}{}{about}", if count.is_empty() || about.is_empty() { "" } else { "  " })
    }

    /// A row of text, without the secrets that overlap it, and whether it had any.
    fn row(&self, slot: &OutlineRow, shown: bool) -> (String, bool) {
        let (Key::Row(from, to), false) = (slot.key, shown) else { return (self.text(slot).to_owned(), false) };
        if slot.secret {
            return (REDACTED.to_owned(), true);
        }
        let stretch = &self.documents[slot.document as usize].text[from as usize..to as usize];
        let (start, end) = ((slot.start - from) as usize, (slot.end - from) as usize);
        let (mut out, mut at, mut redacted) = (String::new(), start, false);
        for secret in secret_ranges(stretch).into_iter().filter(|range| range.start < end && range.end > start) {
            redacted = true;
            out.push_str(&stretch[at..secret.start.max(at)]);
            if secret.start >= start {
                out.push_str(REDACTED);
            }
            at = secret.end.min(end);
        }
        out.push_str(&stretch[at..end]);
        (out, redacted)
    }

    /// The start of paths into the document that contains a line.
    pub fn document_path(&self, index: usize) -> &str {
        self.slots.get(index).map_or("", |slot| &self.documents[slot.document as usize].path)
    }

    /// The full value of a line, with secrets redacted: JSON of a container, text of a leaf.
    pub fn whole(&self, index: usize) -> Option<String> {
        let slot = self.slots.get(index)?;
        let shown = self.revealed.contains(&slot.hash);
        let text = self.text(slot);
        Some(match slot.kind {
            _ if slot.secret && !shown => REDACTED.to_owned(),
            Kind::Object | Kind::Array if self.documents[slot.document as usize].is_json => {
                let value: serde_json::Value = serde_json::from_str(text).ok()?;
                serde_json::to_string_pretty(&redact_json(&value)).ok()?
            }
            Kind::Object | Kind::Array => redact_text(text).into_owned(),
            Kind::Row => self.row(slot, shown).0,
            _ if shown => scalar(text, usize::MAX),
            _ => redact_text(&scalar(text, usize::MAX)).into_owned(),
        })
    }

    /// The path of a line in filters, for example `req.body.lines[3].sku`.
    pub fn path(&self, index: usize) -> Option<String> {
        let slot = self.slots.get(index)?;
        let (mut steps, mut depth) = (vec![self.step(slot)], slot.depth);
        let mut root = slot.document;
        for other in self.slots[..index].iter().rev() {
            if other.depth < depth {
                depth = other.depth;
                steps.push(self.step(other));
                root = other.document;
                if depth == 0 {
                    break;
                }
            }
        }
        steps.reverse();
        let path = self.documents[root as usize].path.clone() + &steps.concat();
        Some(path)
    }

    fn step(&self, slot: &OutlineRow) -> String {
        match slot.key {
            Key::Name(..) => format!(".{}", self.key(slot)),
            Key::Index(index) => format!("[{index}]"),
            Key::Root | Key::Row(..) => String::new(),
        }
    }

    /// The filter clause for activities with this value, in any element of the arrays that contain it.
    pub fn clause(&self, index: usize) -> Option<String> {
        let slot = self.slots.get(index)?;
        let line = self.line(index);
        let is_leaf = !matches!(slot.kind, Kind::Object | Kind::Array);
        let value = if slot.kind == Kind::Row { line.value.trim().to_owned() } else { scalar(self.text(slot), 400) };
        if !is_leaf || line.redacted || value.is_empty() || slot.end - slot.start > 400 {
            return None;
        }
        let root = self.slots[..=index].iter().rev().find(|other| other.depth == 0)?;
        let document = &self.documents[root.document as usize];
        let path = self.path(index)?;
        // Filters have no path into a string, and none for a key with a dot or a space.
        let nested = slot.document != root.document;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '[' | ']' | '_' | '-');
        let key = self.key(slot);
        if document.has_paths && !nested && path.chars().all(plain) && !key.contains('.') {
            return Some(format!("{}:{}", each(&path), quote(&value)));
        }
        (!document.path.is_empty()).then(|| format!("{}:{}", document.path, quote(&value)))
    }
}

/// A path with every index replaced by `*`.
fn each(path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some(open) = rest.find('[') {
        let end = rest[open..].find(']').map_or(rest.len(), |n| open + n);
        out.push_str(&rest[..open]);
        out.push_str("[*");
        rest = &rest[end..];
    }
    out + rest
}

/// The text between the quotes of a JSON string.
fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned())
}

/// The text of a scalar; of a long string, the first `most` bytes.
fn scalar(text: &str, most: usize) -> String {
    let Some(inside) = text.strip_prefix('"') else { return text.to_owned() };
    if text.len() <= most {
        return unescaped(inside.strip_suffix('"').unwrap_or(inside));
    }
    let cut = &inside[..inside.floor_char_boundary(most)];
    // Does not split an escape sequence, which has at most six characters.
    (0..7)
        .filter_map(|less| cut.get(..cut.len().saturating_sub(less)))
        .find_map(|cut| serde_json::from_str::<String>(&format!("\"{cut}\"")).ok())
        .unwrap_or_default()
}

/// Redacts a value: only its secrets, or if `secret` all of it except an authentication scheme.
fn hide(text: &str, secret: bool) -> String {
    if !secret || text == "null" {
        return redact_text(text).into_owned();
    }
    redact_whole(text)
}

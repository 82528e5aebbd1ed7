//! Searches documents for a text, also where they are folded.

use super::{Key, Kind, Outline, OutlineRow, json};
use crosstail_core::number::saturating_u32;
use regex::{Regex, RegexBuilder};

/// Maximum number of occurrences that are counted.
const COUNTED: usize = 9999;
/// Maximum number of hidden occurrences that one search skips.
const HIDDEN: usize = 1000;

/// A pattern for a text in a document; in JSON the text is escaped.
fn pattern(needle: &str, is_json: bool) -> Option<Regex> {
    let text = if is_json { serde_json::to_string(needle).ok()? } else { format!("\"{needle}\"") };
    let inside = text.get(1..text.len() - 1).filter(|inside| !inside.is_empty())?;
    RegexBuilder::new(&regex::escape(inside)).case_insensitive(true).build().ok()
}

impl Outline {
    /// The indices of the documents that are not inside a string of another one.
    fn roots(&self) -> std::ops::Range<u32> {
        let inside = self.inside.values().min().copied();
        0..inside.unwrap_or(saturating_u32(self.documents.len()))
    }

    /// The number of occurrences of a text, at most 9,999.
    pub fn occurrences(&self, needle: &str) -> usize {
        let count = |index: u32| {
            let document = &self.documents[index as usize];
            pattern(needle, document.is_json).map_or(0, |p| p.find_iter(&document.text).take(COUNTED).count())
        };
        self.roots().map(count).sum::<usize>().min(COUNTED)
    }

    /// Selects the next line with a text: from the selected one (`by` 0), after it (1) or before it (-1). Opens what
    /// contains the line. Returns whether there is one.
    pub fn search(&mut self, needle: &str, by: isize) -> bool {
        let roots = self.roots();
        if roots.is_empty() || needle.is_empty() {
            return false;
        }
        let Some(slot) = self.slots.get(self.selected).copied() else { return false };
        let here = if roots.contains(&slot.document) { slot } else { self.outer(self.selected) };
        let from = match (by, here.key) {
            (1, _) if matches!(here.kind, Kind::Object | Kind::Array) => here.start as usize + 1,
            (1, _) => here.end as usize,
            (_, Key::Name(start, _)) => start as usize,
            _ => here.start as usize,
        };
        let mut at = (here.document, from);
        for _ in 0..HIDDEN {
            let Some(found) = self.occurrence(needle, at, by >= 0) else { return false };
            let index = self.open_to(found);
            let line = self.line(index);
            let needle = needle.to_lowercase();
            let seen = |text: &str| text.to_lowercase().contains(&needle);
            if !line.redacted || seen(&line.key) || seen(&line.value) {
                self.selected = index;
                return true;
            }
            at = if by >= 0 { (found.0, found.1 + 1) } else { found };
            if at == (here.document, from) {
                return false;
            }
        }
        false
    }

    /// The line of the string that contains a line.
    fn outer(&self, index: usize) -> OutlineRow {
        let roots = self.roots();
        let around = self.slots[..=index].iter().rev().find(|slot| roots.contains(&slot.document));
        around.copied().unwrap_or(self.slots[index])
    }

    /// The next occurrence from a place, or the last one before it. Wraps around the end at most once.
    fn occurrence(&self, needle: &str, (document, from): (u32, usize), forward: bool) -> Option<(u32, usize)> {
        let roots = self.roots();
        let in_document = |index: u32, from: usize, upto: usize| -> Option<usize> {
            let document = &self.documents[index as usize];
            let pattern = pattern(needle, document.is_json)?;
            let (from, upto) = (document.text.ceil_char_boundary(from), document.text.floor_char_boundary(upto));
            let part = document.text.get(from..upto)?;
            let found = if forward { pattern.find(part) } else { pattern.find_iter(part).last() };
            found.map(|found| from + found.start())
        };
        let order: Vec<u32> = if forward {
            (document..roots.end).chain(roots.start..=document).collect()
        } else {
            (roots.start..=document).rev().chain((document..roots.end).rev()).collect()
        };
        let last = order.len() - 1;
        order.into_iter().enumerate().find_map(|(turn, index)| {
            let end = self.documents[index as usize].text.len();
            let (start, stop) = match (turn, forward) {
                (0, true) => (from, end),
                (0, false) => (0, from),
                (turn, true) if turn == last => (0, from),
                (turn, false) if turn == last => (from, end),
                _ => (0, end),
            };
            in_document(index, start, stop).map(|at| (index, at))
        })
    }

    /// Opens everything that contains a place in a document; returns the index of its line.
    fn open_to(&mut self, (document, at): (u32, usize)) -> usize {
        let at = saturating_u32(at);
        let is_root = |slot: &OutlineRow| slot.depth == 0 && slot.document == document;
        let Some(mut index) = self.slots.iter().position(is_root) else { return self.selected };
        loop {
            let slot = self.slots[index];
            if slot.kind == Kind::Text || slot.open.is_none() {
                return index;
            }
            let inside = |slot: &OutlineRow| {
                let begin = if let Key::Name(start, _) = slot.key { start } else { slot.start };
                slot.document == document && (begin..slot.end.max(begin + 1)).contains(&at)
            };
            if slot.open == Some(false) {
                // Opens only what contains the place: punctuation between values belongs to the container.
                let holds = !self.documents[document as usize].is_json || {
                    let mut found = false;
                    let text = &self.documents[document as usize].text;
                    json::children(text, &(slot.start as usize..slot.end as usize), |child| {
                        let begin = child.key.map_or(child.span.start, |key| key.start);
                        found |= (begin..child.span.end).contains(&(at as usize));
                        !found
                    });
                    found
                };
                if !holds {
                    return index;
                }
                self.toggle(index);
            }
            let next = self.slots[index + 1..]
                .iter()
                .take_while(|other| other.depth > slot.depth)
                .position(|other| other.depth == slot.depth + 1 && inside(other));
            match next {
                Some(n) => index += 1 + n,
                None => return index,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, Outline};
    use base64::Engine as _;
    use serde_json::json;

    fn outline(text: &str, is_json: bool) -> Outline {
        let document = Document {
            path: "req.body".to_owned(),
            title: "body".to_owned(),
            about: String::new(),
            text: std::sync::Arc::new(text.to_owned()),
            is_json,
            has_paths: is_json,
        };
        Outline::new(vec![document], 60)
    }

    fn shown(outline: &Outline) -> Vec<String> {
        (0..outline.len())
            .map(|index| {
                let line = outline.line(index);
                format!("{}{} {}", " ".repeat(line.depth), line.key, line.value)
            })
            .collect()
    }

    #[test]
    fn folds_hide_and_secrets_stay_hidden() {
        let text =
            json!({"a": {"b": [1, {"sku": "M 1"}]}, "token": "abc", "Authorization": "Bearer abcdefgh"}).to_string();
        let mut outline = outline(&text, true);
        let lines = shown(&outline);
        assert_eq!(lines[0], "body {3}");
        assert!(
            lines.contains(&" token [REDACTED]".to_owned())
                && lines.contains(&" Authorization Bearer [REDACTED]".to_owned()),
            "{lines:?}"
        );
        let sku = lines.iter().position(|line| line.contains("sku")).unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!(outline.path(sku).as_deref(), Some("req.body.a.b[1].sku"));
        assert_eq!(outline.clause(sku).as_deref(), Some("req.body.a.b[*].sku:\"M 1\""));
        let token = outline.len() - 2;
        assert_eq!(outline.clause(token), None);
        assert_eq!(outline.whole(token).as_deref(), Some("[REDACTED]"));
        assert!(!outline.whole(0).expect("text").contains("abc"));
        outline.reveal(token);
        assert_eq!(outline.line(token).value, "abc");
        assert_eq!(outline.line(token + 1).value, "Bearer [REDACTED]", "one value at a time");
        outline.toggle(1);
        assert_eq!(shown(&outline), ["body {3}", " a {1}", " token abc", " Authorization Bearer [REDACTED]"]);
    }

    #[test]
    fn strings_open_in_place() {
        let coded = base64::engine::general_purpose::STANDARD.encode(r#"{"order":{"id":"PO-4711"}}"#);
        let text = json!({"wrapped": "{\"a\": {\"password\": \"x\"}}", "coded": coded, "long": "word ".repeat(40)})
            .to_string();
        let mut outline = outline(&text, true);
        outline.toggle(3);
        outline.toggle(2);
        outline.toggle(1);
        let lines = shown(&outline);
        assert!(lines[1].contains("JSON in a string"), "{lines:?}");
        assert_eq!(lines[3], "   password [REDACTED]");
        assert!(lines.contains(&"   id PO-4711".to_owned()), "{lines:?}");
        let id = lines.iter().position(|line| line.contains("PO-4711")).expect("it");
        assert_eq!(outline.clause(id).as_deref(), Some("req.body:PO-4711"), "no path leads into a string");
        assert!(lines.len() > 8, "the long text is wrapped: {lines:?}");
        for line in 1..lines.len() {
            outline.path(line).expect("a path");
        }
    }

    #[test]
    fn text_is_wrapped_and_secrets_do_not_show_at_its_edges() {
        let text = format!("{} password=hunter2hunter2 {}\nsecond", "x".repeat(42), "y".repeat(30));
        let mut outline = outline(&text, false);
        let all = shown(&outline).join("\n");
        assert!(!all.contains("hunter2") && all.contains("[REDACTED]"), "{all}");
        assert!(all.ends_with("second"), "{all}");
        outline.reveal(1);
        assert!(shown(&outline).concat().replace(' ', "").contains("hunter2hunter2"));
    }

    #[test]
    fn a_search_opens_what_is_folded_and_passes_secrets() {
        let items: Vec<_> =
            (0..300).map(|n| json!({"sku": format!("MAT-{n}"), "deep": {"er": {"still": n}}})).collect();
        let text = json!({"items": items, "token": "MAT-7-token", "last": "mat-299 \"x\""}).to_string();
        let mut outline = outline(&text, true);
        assert_eq!(outline.len(), 4, "a long list is folded");
        assert!(outline.search("mat-299", 0));
        let line = outline.line(outline.selected);
        assert_eq!((line.key.as_str(), line.value.as_str()), ("sku", "MAT-299"));
        assert!(outline.search("mat-299", 1));
        assert_eq!(outline.line(outline.selected).key, "last");
        assert!(outline.search("mat-299", 1), "it continues from the beginning");
        assert_eq!(outline.line(outline.selected).key, "sku");
        assert!(outline.search("mat-299", -1));
        assert_eq!(outline.line(outline.selected).key, "last");
        assert!(outline.search("\"x\"", 0), "quotes are escaped in JSON");
        assert!(!outline.search("7-token", 0), "a hidden value is not found");
        assert_eq!(outline.occurrences("sku"), 300);
    }
}

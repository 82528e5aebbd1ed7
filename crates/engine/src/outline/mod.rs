//! Documents as lines of a tree that folds. The lines are laid out over the text, and only as far as the tree is open.
//! A body of 20 MB is never built as a tree; a line is a place in its text.

mod json;
mod line;
mod search;

use crate::insight::{Embedded, may_open, open_string};
use crosstail_core::model::{is_name_field, is_secret_field, is_secret_item, is_value_field};
use crosstail_core::number::saturating_u32;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use unicode_width::UnicodeWidthChar as _;

/// A document to lay out: JSON or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The start of paths into it, for example `req.body`.
    pub path: String,
    /// Title on the screen.
    pub title: String,
    /// Remark next to the title; may be empty.
    pub about: String,
    pub text: Arc<String>,
    /// Whether `text` is valid JSON.
    pub is_json: bool,
    /// Whether filters have paths into it. Otherwise a filter can only search all of it.
    pub has_paths: bool,
}

/// The type of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An object, or the root of a text.
    Object,
    /// An array.
    Array,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A boolean or null.
    Word,
    /// A row of a text.
    Row,
}

/// The name of a line in its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Root,
    /// Start and end of a key in the text.
    Name(u32, u32),
    Index(u32),
    /// A row of text: start and end of the stretch that contains it. Secrets are searched in the whole stretch.
    Row(u32, u32),
}

/// The place of a line in the text.
#[derive(Debug, Clone, Copy)]
struct OutlineRow {
    document: u32,
    start: u32,
    end: u32,
    key: Key,
    /// Hash of its path, which identifies it for folding and revealing.
    hash: u64,
    /// Number of values directly inside a container.
    count: u32,
    depth: u16,
    kind: Kind,
    /// `Some(is_open)` where it can be opened.
    open: Option<bool>,
    /// Whether its name, or that of a container, is that of a secret.
    secret: bool,
}

/// The place of a value in the tree.
#[derive(Clone, Copy)]
struct Place {
    document: u32,
    key: Key,
    hash: u64,
    depth: u16,
    secret: bool,
}

/// A line as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub depth: usize,
    /// Key, index or title; empty for a row of text.
    pub key: String,
    /// Value of a leaf, or a summary (`{3}`, `[12]`).
    pub value: String,
    /// `Some(is_open)` where it can be opened.
    pub open: Option<bool>,
    /// Decides the colour.
    pub kind: Kind,
    /// Whether part of the value is hidden.
    pub redacted: bool,
}

/// Entries at most of an object in which a name stands beside its value.
const MOST_BESIDE: u32 = 16;
/// Containers at a greater depth, or with more entries, are folded at first.
const OPEN_DEPTH: u16 = 3;
const OPEN_ENTRIES: usize = 200;
/// Documents of at most this many bytes are open to `SMALL_DEPTH` instead.
const SMALL: usize = 4096;
const SMALL_DEPTH: u16 = 12;
/// A line shows at most this many bytes of a string.
const PREVIEW: usize = 2048;
/// Length of the stretches of text in which secrets are searched, in bytes.
const STRETCH: usize = 4096;

/// Documents, laid out as lines.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    documents: Vec<Document>,
    slots: Vec<OutlineRow>,
    /// Index of the document inside a string, by the hash of the string's path.
    inside: HashMap<u64, u32>,
    /// Hashes of paths that were opened or folded by hand.
    toggled: HashSet<u64>,
    /// Hashes of paths whose secret is shown.
    revealed: HashSet<u64>,
    /// Index of the selected line.
    pub selected: usize,
    /// Index of the first line on the screen.
    pub first: usize,
    /// Width of rows of text, in columns.
    width: usize,
}

fn below(parent: u64, key: &[u8]) -> u64 {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    parent.hash(&mut hasher);
    key.hash(&mut hasher);
    hasher.finish()
}

/// A document whose positions fit into 32 bits. Of a document of 4 GiB or more, the beginning as plain text.
fn within_reach(document: Document) -> Document {
    if u32::try_from(document.text.len()).is_ok() {
        return document;
    }
    let end = document.text.floor_char_boundary(u32::MAX as usize);
    Document { text: Arc::new(document.text[..end].to_owned()), is_json: false, ..document }
}

impl Outline {
    /// Lays documents out for a screen of `width` columns.
    pub fn new(documents: Vec<Document>, width: usize) -> Self {
        let documents = documents.into_iter().map(within_reach).collect();
        let mut outline = Self { documents, width: width.max(20), ..Self::default() };
        for document in 0..saturating_u32(outline.documents.len()) {
            let mut slots = Vec::new();
            outline.root(document, &mut slots);
            outline.slots.extend(slots);
        }
        outline
    }

    /// Lays out the results of a jq expression, each as a document.
    pub fn of_results(results: &[String], width: usize) -> Self {
        let one = |(index, text): (usize, &String)| Document {
            path: String::new(),
            title: if results.len() == 1 { "result".to_owned() } else { format!("result {}", index + 1) },
            about: String::new(),
            text: Arc::new(text.clone()),
            is_json: true,
            has_paths: false,
        };
        Self::new(results.iter().enumerate().map(one).collect(), width)
    }

    /// Number of lines, including those that are not on the screen.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn text(&self, slot: &OutlineRow) -> &str {
        &self.documents[slot.document as usize].text[slot.start as usize..slot.end as usize]
    }

    fn root(&self, index: u32, into: &mut Vec<OutlineRow>) {
        let document = &self.documents[index as usize];
        let hash = below(u64::from(index), document.title.as_bytes());
        if document.is_json {
            let child = json::value(&document.text);
            self.add(&child, Place { document: index, key: Key::Root, hash, depth: 0, secret: false }, into);
        } else {
            let open = !self.toggled.contains(&hash);
            into.push(OutlineRow {
                document: index,
                start: 0,
                end: saturating_u32(document.text.len()),
                key: Key::Root,
                hash,
                count: 0,
                depth: 0,
                kind: Kind::Object,
                open: Some(open),
                secret: false,
            });
            if open {
                self.rows(index, 1, hash, false, into);
            }
        }
    }

    /// Adds the line of a value and, where it is open, the lines inside it.
    fn add(&self, child: &json::Child, place: Place, into: &mut Vec<OutlineRow>) {
        let Place { document, key, hash, depth, secret } = place;
        let (span, count) = (&child.span, child.count);
        let text = &self.documents[document as usize].text;
        let kind = match text.as_bytes().get(span.start) {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Word,
        };
        let toggled = self.toggled.contains(&hash);
        let mut slot = OutlineRow {
            document,
            start: saturating_u32(span.start),
            end: saturating_u32(span.end),
            key,
            hash,
            count: 0,
            depth,
            kind,
            open: None,
            secret,
        };
        match kind {
            Kind::Object | Kind::Array => {
                slot.count = saturating_u32(count);
                let deepest = if text.len() <= SMALL { SMALL_DEPTH } else { OPEN_DEPTH };
                let folded_at_first = depth >= deepest || count > OPEN_ENTRIES;
                slot.open = (count > 0).then_some(folded_at_first == toggled);
            }
            Kind::Text if !secret && may_open(&text[span.start + 1..span.end.max(span.start + 2) - 1]) => {
                slot.open = Some(toggled && self.inside.contains_key(&hash));
            }
            _ => {}
        }
        into.push(slot);
        if slot.open == Some(true) {
            self.fill(&slot, into);
        }
    }

    /// Adds the lines inside a line.
    fn fill(&self, slot: &OutlineRow, into: &mut Vec<OutlineRow>) {
        let (document, depth) = (slot.document, slot.depth + 1);
        match slot.kind {
            Kind::Text => {
                let Some(inside) = self.inside.get(&slot.hash).copied() else { return };
                let hash = below(slot.hash, b"inside");
                if self.documents[inside as usize].is_json {
                    let span = json::value(&self.documents[inside as usize].text).span;
                    let root = OutlineRow {
                        document: inside,
                        start: saturating_u32(span.start),
                        end: saturating_u32(span.end),
                        hash,
                        ..*slot
                    };
                    self.entries(&root, depth, into);
                } else {
                    self.rows(inside, depth, hash, slot.secret, into);
                }
            }
            Kind::Object if !self.documents[document as usize].is_json => {
                self.rows(document, depth, slot.hash, slot.secret, into);
            }
            _ => self.entries(slot, depth, into),
        }
    }

    /// The name that a small object gives to its value: `{"name": "X-Api-Key", "value": …}`.
    fn name_beside(&self, slot: &OutlineRow) -> Option<&str> {
        if slot.kind != Kind::Object || slot.count > MOST_BESIDE {
            return None;
        }
        let text = &self.documents[slot.document as usize].text;
        let mut name = None;
        json::children(text, &(slot.start as usize..slot.end as usize), |child| {
            let is_name = child.key.as_ref().is_some_and(|key| is_name_field(&text[key.clone()]));
            let value = &text[child.span.clone()];
            if is_name && value.starts_with('"') {
                name = Some(value.trim_matches('"'));
            }
            name.is_none()
        });
        name
    }

    fn entries(&self, slot: &OutlineRow, depth: u16, into: &mut Vec<OutlineRow>) {
        let text = &self.documents[slot.document as usize].text;
        let beside = self.name_beside(slot);
        let (mut index, mut before) = (0u32, None);
        json::children(text, &(slot.start as usize..slot.end as usize), |child| {
            let value = text[child.span.clone()].trim_matches('"');
            let (key, hash, secret) = match &child.key {
                Some(name) => {
                    let bare = &text[name.clone()];
                    let hash = below(slot.hash, bare.as_bytes());
                    let named = is_value_field(bare) && beside.is_some_and(|name| is_secret_field(name, value));
                    (
                        Key::Name(saturating_u32(name.start), saturating_u32(name.end)),
                        hash,
                        slot.secret || named || is_secret_field(bare, value),
                    )
                }
                None => {
                    let is_value = before.is_some_and(|name| {
                        is_secret_item(|at| Some(if at % 2 == 0 { name } else { value }), index as usize)
                    });
                    (Key::Index(index), below(slot.hash, &index.to_le_bytes()), slot.secret || is_value)
                }
            };
            index += 1;
            before = text.as_bytes().get(child.span.start).is_some_and(|b| *b == b'"').then_some(value);
            self.add(&child, Place { document: slot.document, key, hash, depth, secret }, into);
            true
        });
    }

    /// Adds the wrapped rows of a text.
    fn rows(&self, document: u32, depth: u16, hash: u64, secret: bool, into: &mut Vec<OutlineRow>) {
        let text = &self.documents[document as usize].text;
        let room = self.width.saturating_sub(usize::from(depth) * 2 + 4).max(10);
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let end = at + line.trim_end_matches(['\r', '\n']).len();
            let mut stretch = at;
            while stretch < end || stretch == at {
                // Long lines are split where no secret crosses.
                let mut stop = end.min(text.floor_char_boundary(stretch + STRETCH));
                if stop < end {
                    let cut = text[stretch..stop].rfind([',', ';', '&', '{', '}', '<', '>']).map(|n| stretch + n + 1);
                    stop = cut.filter(|cut| *cut > stretch).unwrap_or(stop);
                }
                let (mut row, mut used) = (stretch, 0);
                let mut push = |start: usize, end: usize| {
                    into.push(OutlineRow {
                        document,
                        start: saturating_u32(start),
                        end: saturating_u32(end),
                        key: Key::Row(saturating_u32(stretch), saturating_u32(stop)),
                        hash: below(hash, &stretch.to_le_bytes()),
                        count: 0,
                        depth,
                        kind: Kind::Row,
                        open: None,
                        secret,
                    });
                };
                for (offset, c) in text[stretch..stop].char_indices() {
                    let wide = c.width().unwrap_or(1);
                    if used + wide > room {
                        push(row, stretch + offset);
                        (row, used) = (stretch + offset, 0);
                    }
                    used += wide;
                }
                push(row, stop);
                stretch = stop.max(stretch + 1);
                if stop >= end {
                    break;
                }
            }
            at += line.len();
        }
    }

    /// Opens or folds the line at `index`. A string is decoded only now.
    pub fn toggle(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index).copied() else { return };
        let Some(open) = slot.open else { return };
        if !self.toggled.remove(&slot.hash) {
            self.toggled.insert(slot.hash);
        }
        let depth = slot.depth;
        let behind = self.slots[index + 1..].iter().position(|other| other.depth <= depth);
        let end = behind.map_or(self.slots.len(), |n| index + 1 + n);
        let mut inside = Vec::new();
        if !open {
            if slot.kind == Kind::Text && !self.inside.contains_key(&slot.hash) {
                self.expand_string(&slot);
            }
            self.fill(&slot, &mut inside);
        }
        self.slots[index].open = Some(!open);
        self.slots.splice(index + 1..end, inside);
        self.selected = self.selected.min(self.slots.len().saturating_sub(1));
    }

    fn expand_string(&mut self, slot: &OutlineRow) {
        let text: String = serde_json::from_str(self.text(slot)).unwrap_or_default();
        let (text, about, is_json) = match open_string(&text) {
            Embedded::Json(text, about) => (text, about, true),
            Embedded::Text(text, about) => (text, about, false),
        };
        let document = Document {
            path: String::new(),
            title: String::new(),
            about: about.to_owned(),
            text: Arc::new(text),
            is_json,
            has_paths: false,
        };
        self.inside.insert(slot.hash, saturating_u32(self.documents.len()));
        self.documents.push(document);
    }

    /// Selects the container of the selected line.
    pub fn select_parent(&mut self) {
        let Some(depth) = self.slots.get(self.selected).map(|slot| slot.depth) else { return };
        let around = self.slots[..self.selected].iter().rposition(|slot| slot.depth < depth);
        self.selected = around.unwrap_or(self.selected);
    }

    /// Scrolls so that the selected line is on the screen.
    pub fn scroll_to_selection(&mut self, height: usize) {
        self.selected = self.selected.min(self.slots.len().saturating_sub(1));
        let height = height.max(1);
        let most = self.slots.len().saturating_sub(height);
        let lowest = (self.selected + 1).saturating_sub(height);
        self.first = self.first.clamp(lowest, self.selected.max(lowest)).min(most.max(lowest));
    }
}

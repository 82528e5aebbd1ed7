//! Documents as lines: trees that fold, laid out over their text and only as far as they are open. A body of 20 MB is
//! never built as a tree; a line is a place in its text.

mod json;
mod line;
mod search;

use crate::insight::{Embedded, may_open, open_string};
use crosstail_core::model::is_sensitive_name;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use unicode_width::UnicodeWidthChar as _;

/// Something that can be laid out: JSON, or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What paths in it begin with: `req.body`.
    pub path: String,
    /// What it is called on the screen.
    pub title: String,
    /// What is said of it beside its title.
    pub about: String,
    /// JSON, or text.
    pub text: Arc<String>,
    /// Whether it is JSON.
    pub is_json: bool,
    /// Whether the paths of filters lead into it. Else a filter looks for a text anywhere in it.
    pub has_paths: bool,
}

/// What a line is.
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
    /// A truth value or null.
    Word,
    /// A row of a text.
    Row,
}

/// How a line is called in what holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Root,
    /// Where its name stands.
    Name(u32, u32),
    Index(u32),
    /// A row: the stretch of text that it is a part of, which secrets are looked for in.
    Row(u32, u32),
}

/// A line's place.
#[derive(Debug, Clone, Copy)]
struct OutlineRow {
    document: u32,
    start: u32,
    end: u32,
    key: Key,
    /// Of its path: what is folded and revealed is known by it.
    hash: u64,
    /// Values directly inside a container.
    count: u32,
    depth: u16,
    kind: Kind,
    /// `Some` where it can be opened.
    open: Option<bool>,
    /// Its name, or that of something around it, is that of a secret.
    secret: bool,
}

/// Where a value stands among others.
#[derive(Clone, Copy)]
struct Place {
    document: u32,
    key: Key,
    hash: u64,
    depth: u16,
    secret: bool,
}

/// One line as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Depth.
    pub depth: usize,
    /// Key, index or title; empty for a row of text.
    pub key: String,
    /// Value of a leaf, or a summary (`{3}`, `[12]`).
    pub value: String,
    /// `Some(open)` where it can be opened.
    pub open: Option<bool>,
    /// How it is coloured.
    pub kind: Kind,
    /// Something of the value is hidden.
    pub redacted: bool,
}

/// Containers deeper than this, or with more inside than this, are folded at first.
const OPEN_DEPTH: u16 = 3;
const OPEN_ENTRIES: usize = 200;
/// A document of no more bytes is open down to here.
const SMALL: usize = 4096;
const SMALL_DEPTH: u16 = 12;
/// Of a longer string a line shows the beginning only.
const PREVIEW: usize = 2048;
/// Stretches of text that secrets are looked for in, in bytes.
const STRETCH: usize = 4096;

/// Documents laid out.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    documents: Vec<Document>,
    slots: Vec<OutlineRow>,
    /// Documents found inside strings, by the string's path.
    inside: HashMap<u64, u32>,
    /// Paths whose fold is not what it is at first.
    toggled: HashSet<u64>,
    /// Paths whose secret is shown.
    revealed: HashSet<u64>,
    /// The selected line.
    pub selected: usize,
    /// The first line on the screen.
    pub first: usize,
    /// Columns on the screen, for rows of text.
    width: usize,
}

fn below(parent: u64, key: &[u8]) -> u64 {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    parent.hash(&mut hasher);
    key.hash(&mut hasher);
    hasher.finish()
}

impl Outline {
    /// Lays documents out, in `width` columns.
    pub fn new(documents: Vec<Document>, width: usize) -> Self {
        let mut outline = Self { documents, width: width.max(20), ..Self::default() };
        for document in 0..outline.documents.len() as u32 {
            let mut slots = Vec::new();
            outline.root(document, &mut slots);
            outline.slots.extend(slots);
        }
        outline
    }

    /// The results of a jq expression, each a document.
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

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is nothing.
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
                end: document.text.len() as u32,
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

    /// Adds the line of a value, and the lines inside it where it is open.
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
            start: span.start as u32,
            end: span.end as u32,
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
                slot.count = count as u32;
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
                    let root =
                        OutlineRow { document: inside, start: span.start as u32, end: span.end as u32, hash, ..*slot };
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

    fn entries(&self, slot: &OutlineRow, depth: u16, into: &mut Vec<OutlineRow>) {
        let text = &self.documents[slot.document as usize].text;
        let mut index = 0u32;
        json::children(text, &(slot.start as usize..slot.end as usize), |child| {
            let (key, hash, secret) = match &child.key {
                Some(name) => {
                    let bare = &text[name.clone()];
                    let hash = below(slot.hash, bare.as_bytes());
                    (Key::Name(name.start as u32, name.end as u32), hash, slot.secret || is_sensitive_name(bare))
                }
                None => (Key::Index(index), below(slot.hash, &index.to_le_bytes()), slot.secret),
            };
            index += 1;
            self.add(&child, Place { document: slot.document, key, hash, depth, secret }, into);
            true
        });
    }

    /// Adds the rows of a text, wrapped.
    fn rows(&self, document: u32, depth: u16, hash: u64, secret: bool, into: &mut Vec<OutlineRow>) {
        let text = &self.documents[document as usize].text;
        let room = self.width.saturating_sub(usize::from(depth) * 2 + 4).max(10);
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let end = at + line.trim_end_matches(['\r', '\n']).len();
            let mut stretch = at;
            while stretch < end || stretch == at {
                // Long lines are cut where no secret goes on.
                let mut stop = end.min(text.floor_char_boundary(stretch + STRETCH));
                if stop < end {
                    let cut = text[stretch..stop].rfind([',', ';', '&', '{', '}', '<', '>']).map(|n| stretch + n + 1);
                    stop = cut.filter(|cut| *cut > stretch).unwrap_or(stop);
                }
                let (mut row, mut used) = (stretch, 0);
                let mut push = |start: usize, end: usize| {
                    into.push(OutlineRow {
                        document,
                        start: start as u32,
                        end: end as u32,
                        key: Key::Row(stretch as u32, stop as u32),
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

    /// Opens or folds the line at `index`; what is inside a string is looked for now.
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
        self.inside.insert(slot.hash, self.documents.len() as u32);
        self.documents.push(document);
    }

    /// Selects what the selected line is in.
    pub fn select_parent(&mut self) {
        let Some(depth) = self.slots.get(self.selected).map(|slot| slot.depth) else { return };
        let around = self.slots[..self.selected].iter().rposition(|slot| slot.depth < depth);
        self.selected = around.unwrap_or(self.selected);
    }

    /// Keeps the selected line on the screen.
    pub fn scroll_to_selection(&mut self, height: usize) {
        self.selected = self.selected.min(self.slots.len().saturating_sub(1));
        let height = height.max(1);
        let most = self.slots.len().saturating_sub(height);
        let lowest = (self.selected + 1).saturating_sub(height);
        self.first = self.first.clamp(lowest, self.selected.max(lowest)).min(most.max(lowest));
    }
}

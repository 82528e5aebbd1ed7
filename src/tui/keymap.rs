//! Keys → actions, from TOML.

use super::input::Stroke;
use crate::action::Action;
use crate::config::line_at;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use toml::Spanned;

const DEFAULT: &str = include_str!("../../config/keymap.toml");

/// The context in which a key is pressed: a table of the keymap, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context(pub &'static str);

impl Context {
    /// Everywhere, unless another context binds the key.
    pub const GLOBAL: Self = Self("global");
    /// In a text field, instead of everything else.
    pub const TEXT: Self = Self("text");
}

/// A sequence of keys bound to an action.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    /// The table.
    context: String,
    keys: Vec<Key>,
    action: Action,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    code: KeyCode,
    ctrl: bool,
    alt: bool,
}

#[derive(Debug, Clone)]
pub struct Keymap {
    bindings: Vec<Binding>,
    /// The tables of the built-in keymap.
    tables: Vec<String>,
    /// What can be bound.
    actions: Vec<Action>,
}

/// The result of a key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMatch {
    /// The keys are bound to this action.
    Action(Action),
    /// The keys are the start of a longer sequence.
    Prefix,
    /// Nothing.
    Unbound,
}

/// Tables of actions and their keys.
type File = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Vec<Spanned<String>>>>;

/// What keys can be bound to.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// Every action, in the order of the help.
    pub actions: Vec<Action>,
    /// Default keys beside those of `config/keymap.toml`, in the same form.
    pub keys: Vec<&'static str>,
}

impl Keymap {
    /// The built-in keys, overridden by the user's `keymap.toml`.
    pub fn load(vocabulary: Vocabulary) -> Result<Self, String> {
        let mut keymap = Self::built_in(vocabulary)?;
        let path = crate::config::folder().map(|folder| folder.join("keymap.toml")).filter(|path| path.exists());
        if let Some(path) = path {
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            keymap.overlay(&text, &path.display().to_string())?;
        }
        Ok(keymap)
    }

    fn built_in(vocabulary: Vocabulary) -> Result<Self, String> {
        let mut keymap = Self { bindings: Vec::new(), tables: Vec::new(), actions: vocabulary.actions };
        for text in [DEFAULT].into_iter().chain(vocabulary.keys) {
            let tables: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
            for table in tables.into_keys().map(Spanned::into_inner) {
                if !keymap.tables.contains(&table) {
                    keymap.tables.push(table);
                }
            }
            keymap.overlay(text, "keymap")?;
        }
        Ok(keymap)
    }

    /// Adds the bindings of a file. An error begins with the origin and the line.
    fn overlay(&mut self, text: &str, origin: &str) -> Result<(), String> {
        let wrong = |byte: usize, why: &str| format!("{origin}:{}: {why}", line_at(text, byte));
        let file: File =
            toml::from_str(text).map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
        for (table, actions) in file {
            let at = table.span().start;
            let context = table.into_inner();
            self.check_table(&context).map_err(|error| wrong(at, &error))?;
            for (name, keys) in actions {
                let at = name.span().start;
                let name = name.into_inner();
                let action = self.actions.iter().find(|action| action.name() == name).copied().ok_or_else(|| {
                    let near = crosstail_core::filter::suggest(&name, self.actions.iter().map(|a| a.name()));
                    let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
                    wrong(at, &format!("no action '{name}'{hint}"))
                })?;
                self.bindings.retain(|binding| !(binding.context == context && binding.action == action));
                for key in keys {
                    let keys = key.get_ref().split(' ').map(parse_key).collect::<Option<Vec<Key>>>();
                    let keys = keys
                        .filter(|keys| !keys.is_empty())
                        .ok_or_else(|| wrong(key.span().start, &format!("{name}: no key '{}'", key.get_ref())))?;
                    self.bindings.push(Binding { context: context.clone(), keys, action });
                }
            }
        }
        Ok(())
    }

    /// Whether the built-in keymap has a table: nothing would look into another.
    fn check_table(&self, name: &str) -> Result<(), String> {
        if self.tables.iter().any(|table| table == name) {
            return Ok(());
        }
        let near = crosstail_core::filter::suggest(name, self.tables.iter().map(String::as_str));
        let hint = near.map_or_else(
            || format!("the tables are {}", self.tables.join(", ")),
            |near| format!("did you mean '{near}'?"),
        );
        Err(format!("no table '{name}'; {hint}"))
    }

    /// The JSON Schema of the file of a keymap: its tables, and in each every action.
    pub fn file_schema(vocabulary: Vocabulary) -> Result<Schema, String> {
        let keymap = Self::built_in(vocabulary)?;
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        let key = format!("(ctrl-)?(alt-)?({}|f[0-9]{{1,2}}|[^ ])", names.join("|"));
        let keys = json!({ "type": "string", "pattern": format!("^{key}( {key})*$") });
        let actions: Map<String, Value> = keymap
            .actions
            .iter()
            .map(|action| {
                let bound = json!({ "description": action.help(), "type": "array", "items": keys });
                (action.name().to_owned(), bound)
            })
            .collect();
        let table = json!({ "$ref": "#/definitions/actions" });
        let tables: Map<String, Value> = keymap.tables.iter().map(|name| (name.clone(), table.clone())).collect();
        Ok(json_schema!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": tables,
            "additionalProperties": false,
            "definitions": { "actions": { "type": "object", "properties": actions, "additionalProperties": false } },
        }))
    }

    /// Looks up the keys pressed so far.
    pub fn find(&self, context: Context, pressed: &[Stroke]) -> KeyMatch {
        let pressed: Vec<Key> = pressed.iter().map(Key::of).collect();
        let contexts: &[Context] = match context {
            Context::TEXT | Context::GLOBAL => &[context],
            own => &[own, Context::GLOBAL],
        };
        for context in contexts {
            let own = || self.bindings.iter().filter(|binding| binding.context == context.0);
            if let Some(binding) = own().find(|binding| binding.keys == pressed) {
                return KeyMatch::Action(binding.action);
            }
            if own().any(|binding| binding.keys.starts_with(&pressed)) {
                return KeyMatch::Prefix;
            }
        }
        KeyMatch::Unbound
    }

    /// What may follow the keys pressed so far: the next keys, and the action that they complete.
    pub fn following(&self, context: Context, pressed: &[Stroke]) -> Vec<(String, Action)> {
        let pressed: Vec<Key> = pressed.iter().map(Key::of).collect();
        let goes_on = |binding: &&Binding| {
            let is_of =
                binding.context == context.0 || (context != Context::TEXT && binding.context == Context::GLOBAL.0);
            is_of && binding.keys.len() > pressed.len() && binding.keys.starts_with(&pressed)
        };
        let next = |binding: &Binding| binding.keys[pressed.len()..].iter().map(|key| key.name()).collect::<String>();
        let found = self.bindings.iter().filter(goes_on);
        found.map(|binding| (next(binding), binding.action)).collect()
    }

    /// The keys of an action, for the screen.
    pub fn keys(&self, action: Action) -> String {
        let of = |table: &str| {
            let own = self.bindings.iter().filter(|binding| binding.action == action && binding.context == table);
            own.map(|binding| binding.keys.iter().map(|key| key.name()).collect::<String>()).collect::<Vec<_>>()
        };
        let mut found = of(Context::GLOBAL.0);
        if found.is_empty() {
            let others = self.tables.iter().filter(|table| *table != Context::TEXT.0);
            found = others.flat_map(|table| of(table)).collect();
        }
        found.join(" ")
    }

    /// The first key of an action where a table applies: one of that table, or else the first there is.
    pub fn first_key(&self, context: Context, action: Action) -> String {
        let own = self.bindings.iter().find(|binding| binding.action == action && binding.context == context.0);
        own.map_or_else(
            || self.keys(action).split(' ').next().unwrap_or_default().to_owned(),
            |binding| binding.keys.iter().map(|key| key.name()).collect(),
        )
    }
}

impl Key {
    fn of(Stroke(event): &Stroke) -> Self {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        Self { code: event.code, ctrl, alt }
    }

    fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Enter => "⏎".to_owned(),
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::BackTab => "shift-tab".to_owned(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        let modifier = if self.ctrl {
            "ctrl-"
        } else if self.alt {
            "alt-"
        } else {
            ""
        };
        format!("{modifier}{name}")
    }
}

impl Stroke {
    /// A key by its name in a keymap: `a`, `ctrl-c`, `enter`.
    pub fn named(text: &str) -> Option<Self> {
        let Key { code, ctrl, alt } = parse_key(text)?;
        let modifiers = [(ctrl, KeyModifiers::CONTROL), (alt, KeyModifiers::ALT)];
        let pressed = modifiers.into_iter().filter(|(is, _)| *is).fold(KeyModifiers::NONE, |all, (_, one)| all | one);
        Some(Self(KeyEvent::new(code, pressed)))
    }
}

/// The keys that have a name.
const NAMED: [(&str, KeyCode); 15] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("delete", KeyCode::Delete),
];

fn parse_key(text: &str) -> Option<Key> {
    let (rest, ctrl) = text.strip_prefix("ctrl-").map_or((text, false), |rest| (rest, true));
    let (rest, alt) = rest.strip_prefix("alt-").map_or((rest, false), |rest| (rest, true));
    let named = NAMED.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
    let code = match named {
        Some(code) => code,
        None => {
            let mut chars = rest.chars();
            let only = chars.next().filter(|_| chars.clone().next().is_none());
            if let Some(c) = only { KeyCode::Char(c) } else { KeyCode::F(rest.strip_prefix('f')?.parse().ok()?) }
        }
    };
    Some(Key { code, ctrl, alt })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> Stroke {
        Stroke(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn sequences_contexts_and_users_keys() {
        let common = || Vocabulary { actions: Action::COMMON.to_vec(), keys: Vec::new() };
        let mut keymap = Keymap::built_in(common()).expect("defaults");
        assert_eq!(keymap.find(Context::GLOBAL, &[key(KeyCode::Char('y'))]), KeyMatch::Prefix);
        let id = [key(KeyCode::Char('y')), key(KeyCode::Char('i'))];
        assert_eq!(keymap.find(Context::GLOBAL, &id), KeyMatch::Action(Action::COPY_ID));
        assert_eq!(keymap.find(Context::TEXT, &[key(KeyCode::Char('q'))]), KeyMatch::Unbound);
        assert_eq!(keymap.find(Context("detail"), &[key(KeyCode::Char('q'))]), KeyMatch::Action(Action::QUIT));
        keymap.overlay("[global]\nquit = [\"Q\"]\n", "own.toml").expect("users");
        assert_eq!(keymap.find(Context::GLOBAL, &[key(KeyCode::Char('q'))]), KeyMatch::Unbound);
        assert_eq!(keymap.keys(Action::QUIT), "Q");
        for (text, why) in [
            ("[global]\nquitt = [\"Q\"]\n", "own.toml:2: no action 'quitt'; did you mean 'quit'?"),
            ("\n[globl]\nquit = [\"Q\"]\n", "own.toml:2: no table 'globl'; did you mean 'global'?"),
            ("[global]\nquit = [\"Q\",\n\"qq!\"]\n", "own.toml:3: quit: no key 'qq!'"),
            ("[global]\nquit = 3\n", "own.toml:2: invalid type"),
        ] {
            let error = keymap.overlay(text, "own.toml").expect_err("wrong");
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn every_action_can_be_reached() {
        let keymap = Keymap::load(crate::screens::vocabulary()).expect("keymap");
        for (index, binding) in keymap.bindings.iter().enumerate() {
            let same = |other: &&Binding| other.context == binding.context && other.keys == binding.keys;
            let twice = keymap.bindings[..index].iter().find(same);
            assert_eq!(twice.map(|other| other.action.name()), None, "the key of {}", binding.action.name());
        }
        let by_palette = [Action::NEXT_THEME, Action::RELOAD, Action::TOGGLE_RATE, Action::SAVE_VIEW, Action::TOUR];
        for action in keymap.actions.iter().filter(|action| !by_palette.contains(action)) {
            assert!(!keymap.keys(*action).is_empty(), "{}", action.name());
        }
    }

    #[test]
    fn fuzz_keymap() {
        let keymap =
            Keymap::built_in(Vocabulary { actions: Action::COMMON.to_vec(), keys: Vec::new() }).expect("defaults");
        let bits = ["[", "]", "=", "'", "ctrl-", "alt-", "[global]\n", "f12", ",", " ", "x = [", "#"];
        let corpus = vec![DEFAULT.as_bytes().to_vec(), b"[global]\nback = ['esc', 'ctrl-x y']\n".to_vec()];
        crosstail_fuzz::Target { name: "keymap", corpus, bits: &bits, longest: 20_000 }.run(|_, input| {
            let text = String::from_utf8_lossy(input);
            let _ = keymap.clone().overlay(&text, "fuzz");
            let _ = super::super::Theme::parse(&text, "fuzz", super::super::ColourDepth::detect());
        });
    }
}

//! The terminal front end: input → events, state → pictures. Nothing else knows ratatui or crossterm.

mod draw;
mod encode;
mod external;
mod keymap;
mod layout;
mod look;
mod overlays;
mod panels;
mod screen;
mod terminal;
mod text;
mod theme;
mod vitals;

pub use draw::draw;
pub use keymap::{Context, KeyMatch, Keymap};
pub use layout::PanelAreas;
pub use look::Appearance;
pub use screen::Painter;
pub use theme::{ColourDepth, Theme};

use crate::action::Action;
use crate::app::{AppState, Event, Focus, Overlay, Screen, update};
use crate::effect::Effect;
use crate::runtime::{Incoming, Runtime};
use anyhow::{Context as _, Result};
use crosstail_core::model::Clock;
use crosstail_core::number::{saturating_u16, truncated_u64};
use crossterm::event::{Event as Key, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use std::time::{Duration, Instant};
use terminal::Input;
use tokio::sync::mpsc;
use tui_textarea::{CursorMove, Input as EditorInput, Key as EditorKey, TextArea};

/// How long to collect events before drawing.
const TAKE_IN: Duration = Duration::from_millis(25);

/// Runs the explorer on this process's terminal until it quits; returns the exit code.
pub async fn run(
    mut state: Box<AppState>,
    runtime: Runtime,
    incoming: Incoming,
    history: usize,
    clock: Clock,
) -> Result<u8> {
    let depth = ColourDepth::detect();
    let keymap = Keymap::load().map_err(anyhow::Error::msg)?;
    let theme = Theme::load(&state.theme, depth).map_err(anyhow::Error::msg)?;
    state.themes = Theme::names();
    terminal::restore_on_panic();
    terminal::enter().context("no terminal; the commands query, tail, stats and show work without one")?;
    let (inputs, input) = mpsc::channel(256);
    terminal::listen(inputs)?;
    state.size = crossterm::terminal::size().unwrap_or((80, 24));
    let mut out = terminal::writer()?;
    let painter = Painter::new(move |bytes| terminal::write_picture(&mut out, bytes));
    runtime.start(history);
    let mut front = Frontend {
        state,
        runtime,
        look: Appearance { theme, keymap },
        depth,
        painter,
        pressed: Vec::new(),
        editor: Editor::default(),
        clock,
        measured: (Instant::now(), 0),
    };
    let code = front.run(incoming, input).await;
    front.runtime.stop();
    terminal::leave();
    Ok(code)
}

struct Frontend {
    state: Box<AppState>,
    runtime: Runtime,
    look: Appearance,
    depth: ColourDepth,
    painter: Painter,
    /// Keys of an incomplete sequence.
    pressed: Vec<KeyEvent>,
    editor: Editor,
    clock: Clock,
    /// Time and total of the last count of bytes written.
    measured: (Instant, u64),
}

/// Why the screen must be redrawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redraw {
    No,
    Data,
    Key,
}

impl Frontend {
    async fn run(&mut self, incoming: Incoming, mut input: mpsc::Receiver<Input>) -> u8 {
        let Incoming { mut sources, mut replies } = incoming;
        let mut due = Redraw::Key;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.layout();
        loop {
            if due != Redraw::No && self.painter.wait(due == Redraw::Key).is_zero() {
                self.paint();
                due = Redraw::No;
            }
            if self.painter.is_broken() {
                return 129;
            }
            let wait = if due == Redraw::No {
                Duration::from_hours(1)
            } else {
                self.painter.wait(due == Redraw::Key).max(Duration::from_millis(1))
            };
            tokio::select! {
                biased;
                got = input.recv() => {
                    let Some(got) = got else { return 0 };
                    if let Some(code) = self.input(got) {
                        return code;
                    }
                    // Process all pending keys at once: holding a key down never lags.
                    while let Ok(more) = input.try_recv() {
                        if let Some(code) = self.input(more) {
                            return code;
                        }
                    }
                    due = Redraw::Key;
                }
                got = replies.recv() => {
                    let Some((ticket, reply)) = got else { return 0 };
                    self.state.now = self.clock.now();
                    if let Some(code) = self.event(Event::Reply(ticket, reply)) {
                        return code;
                    }
                    self.state.count(false);
                    due = Redraw::Key;
                }
                got = sources.recv() => {
                    let Some(got) = got else { return 0 };
                    self.state.now = self.clock.now();
                    let begun = Instant::now();
                    let mut next = Some(got);
                    while let Some(event) = next {
                        if let Some(code) = self.event(Event::Pump(event)) {
                            return code;
                        }
                        next = if begun.elapsed() < TAKE_IN { sources.try_recv().ok() } else { None };
                    }
                    self.state.count(false);
                    if due != Redraw::Key {
                        due = Redraw::Data;
                    }
                }
                _ = tick.tick() => {
                    #[cfg(debug_assertions)]
                    assert!(std::env::var_os("CROSSTAIL_TEST_PANIC").is_none(), "asked to panic, by a test");
                    self.measure();
                    if let Some(code) = self.event(Event::Tick(self.clock.now())) {
                        return code;
                    }
                    due = if due == Redraw::Key { Redraw::Key } else { Redraw::Data };
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn measure(&mut self) {
        let written = self.painter.written();
        let seconds = self.measured.0.elapsed().as_secs_f64().max(0.1);
        self.state.bytes_per_second = truncated_u64((written - self.measured.1) as f64 / seconds);
        self.measured = (Instant::now(), written);
    }

    /// Passes an event to the application and carries out its effects. Returns an exit code if the application quits.
    fn event(&mut self, event: Event) -> Option<u8> {
        for effect in update(&mut self.state, event) {
            match self.runtime.run(effect) {
                Some(Effect::Quit) => return Some(0),
                Some(Effect::Suspend) => self.suspend(),
                // On a mistake in a file, the current keymap stays in force.
                Some(Effect::Reload) => match Keymap::load() {
                    Ok(keymap) => {
                        self.look.keymap = keymap;
                        self.state.themes = Theme::names();
                        self.state.notify("keymap and themes reloaded");
                    }
                    Err(problem) => self.state.notify(problem),
                },
                Some(Effect::Redraw) => {
                    match Theme::load(&self.state.theme, self.depth) {
                        Ok(theme) => self.look.theme = theme,
                        Err(problem) => self.state.notify(problem),
                    }
                    self.painter.invalidate();
                }
                Some(Effect::Mouse(on)) => {
                    let bytes: &[u8] = if on { b"\x1b[?1000h\x1b[?1006h" } else { b"\x1b[?1006l\x1b[?1000l" };
                    self.painter.send(bytes.to_vec());
                }
                Some(Effect::Copy(text)) => self.copy(&text),
                Some(Effect::RunExternal(it)) => {
                    let said = external::run(&it);
                    self.state.size = crossterm::terminal::size().unwrap_or(self.state.size);
                    self.painter.invalidate();
                    if let Some(said) = said {
                        self.state.notify(said);
                    }
                }
                _ => {}
            }
        }
        self.layout();
        None
    }

    fn layout(&mut self) {
        PanelAreas::of(&self.state).write_sizes(&mut self.state);
    }

    fn paint(&mut self) {
        let places = PanelAreas::of(&self.state);
        let (picture, cursor) = draw(&self.state, &self.look);
        let list = (self.state.screen == Screen::Explore && self.state.overlays.is_empty()).then(|| places.rows());
        self.painter.paint(picture, list.filter(|list| list.height > 0), cursor);
        if cursor.is_none() && self.editor.shown {
            self.painter.send(b"\x1b[?25l".to_vec());
        }
        self.editor.shown = cursor.is_some();
    }

    fn suspend(&mut self) {
        terminal::suspend();
        if terminal::enter().is_ok() {
            self.state.size = crossterm::terminal::size().unwrap_or(self.state.size);
            self.painter.invalidate();
        }
    }

    /// Copies with OSC 52, which also works over SSH. Longer texts go to a file, because terminals truncate them.
    fn copy(&mut self, text: &str) {
        const LONGEST: usize = 55_000;
        let safe = crosstail_core::model::visible(text).into_owned();
        if safe.len() > LONGEST {
            let kept = tempfile::Builder::new().prefix("crosstail-").suffix(".txt").tempfile().and_then(|mut file| {
                std::io::Write::write_all(&mut file, safe.as_bytes())?;
                file.keep().map_err(|error| error.error)
            });
            let said = match kept {
                Ok((_, path)) => format!("too long for the clipboard: written to {}", path.display()),
                Err(error) => format!("too long for the clipboard, and no file could be written: {error}"),
            };
            self.state.notify(said);
            return;
        }
        use base64::Engine as _;
        let coded = base64::engine::general_purpose::STANDARD.encode(safe.as_bytes());
        let plain = format!("\x1b]52;c;{coded}\x07");
        let wrapped =
            if std::env::var_os("TMUX").is_some() { format!("\x1bPtmux;\x1b{plain}\x1b\\") } else { String::new() };
        self.painter.send((plain + &wrapped).into_bytes());
        self.state.notify(format!("copied {} characters", safe.chars().count()));
    }

    fn input(&mut self, input: Input) -> Option<u8> {
        self.state.now = self.clock.now();
        match input {
            Input::End(code) => Some(code),
            Input::Stop => self.event(Event::Action(Action::Suspend)),
            Input::Continued => {
                // The process was stopped by a signal: the terminal may be in any state.
                let _ = terminal::enter();
                self.painter.invalidate();
                None
            }
            Input::Resized => {
                let (width, height) = crossterm::terminal::size().unwrap_or(self.state.size);
                self.event(Event::Resize(width, height))
            }
            Input::Event(Key::Key(key)) if key.kind != KeyEventKind::Release => self.key(key),
            Input::Event(Key::Resize(width, height)) => self.event(Event::Resize(width, height)),
            Input::Event(Key::Paste(text)) => self.paste(&text),
            Input::Event(Key::Mouse(mouse)) => {
                let places = PanelAreas::of(&self.state);
                let inside = |area: ratatui::layout::Rect| area.contains((mouse.column, mouse.row).into());
                match mouse.kind {
                    MouseEventKind::ScrollUp => self.event(Event::Action(Action::Up)),
                    MouseEventKind::ScrollDown => self.event(Event::Action(Action::Down)),
                    MouseEventKind::Down(MouseButton::Left) if inside(places.rows()) => {
                        self.event(Event::ClickList((mouse.row - places.rows().y) as usize))
                    }
                    MouseEventKind::Down(MouseButton::Left) if inside(places.histogram) => {
                        self.event(Event::ClickHistogram(mouse.column.saturating_sub(1) as usize))
                    }
                    _ => None,
                }
            }
            Input::Event(_) => None,
        }
    }

    /// The text field that has the focus, if any.
    fn typing(&self) -> Option<TextField> {
        if let Some(Overlay::Palette(_)) = self.state.overlays.last() {
            return Some(TextField::Palette);
        }
        if let Some(Overlay::Prompt(_)) = self.state.overlays.last() {
            return Some(TextField::Prompt);
        }
        if self.state.focus == Focus::Filter && self.state.overlays.is_empty() {
            return Some(TextField::Filter);
        }
        let searching = self.state.detail.as_ref().is_some_and(|detail| detail.searching);
        (searching && self.state.focus == Focus::Detail && self.state.overlays.is_empty()).then_some(TextField::Search)
    }

    fn key(&mut self, key: KeyEvent) -> Option<u8> {
        let typing = self.typing();
        let context = match typing {
            Some(_) => Context::Text,
            None if self.state.screen == Screen::FirstRun => Context::FirstRun,
            None if self.state.focus == Focus::Detail => Context::Detail,
            None => Context::Global,
        };
        self.pressed.push(key);
        let found = self.look.keymap.find(context, &self.pressed);
        match (found, typing) {
            (KeyMatch::Prefix, _) => None,
            (KeyMatch::Action(action), _) => {
                self.pressed.clear();
                self.event(Event::Action(action))
            }
            (KeyMatch::Unbound, None) => {
                self.pressed.clear();
                None
            }
            (KeyMatch::Unbound, Some(typing)) => {
                self.pressed.clear();
                self.edit(typing, editor_input(key))
            }
        }
    }

    fn edit(&mut self, typing: TextField, input: EditorInput) -> Option<u8> {
        self.editor.sync(&self.state, typing);
        // As in every shell; in the editor, it would mean "undo".
        if input.ctrl && input.key == EditorKey::Char('u') {
            self.editor.area.delete_line_by_head();
            return self.edited(typing);
        }
        if !self.editor.area.input(input) {
            // The text is unchanged, but the cursor may have moved.
            let (text, cursor) = self.editor.text();
            return if typing == TextField::Filter { self.event(Event::FilterEdited(text, cursor)) } else { None };
        }
        self.edited(typing)
    }

    fn edited(&mut self, typing: TextField) -> Option<u8> {
        let (text, cursor) = self.editor.text();
        self.event(match typing {
            TextField::Filter => Event::FilterEdited(text, cursor),
            TextField::Palette => Event::PaletteEdited(text),
            TextField::Prompt => Event::PromptEdited(text),
            TextField::Search => Event::SearchEdited(text),
        })
    }

    fn paste(&mut self, text: &str) -> Option<u8> {
        let text = text.trim_end_matches(['\r', '\n']).replace(['\r', '\n', '\t'], " ");
        let Some(typing) = self.typing() else { return self.event(Event::Pasted(text)) };
        self.editor.sync(&self.state, typing);
        self.editor.area.insert_str(text);
        self.edited(typing)
    }
}

/// A text field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextField {
    Filter,
    Palette,
    Prompt,
    Search,
}

/// The line editor behind the filter bar, the palette and the search.
#[derive(Default)]
struct Editor {
    area: TextArea<'static>,
    /// The field and generation of its content.
    from: Option<(TextField, u64)>,
    shown: bool,
}

impl Editor {
    /// Replaces the content by the application's, if that was changed by anything but typing.
    fn sync(&mut self, state: &AppState, typing: TextField) {
        let (text, cursor, generation) = match typing {
            TextField::Filter => (state.filter.text.as_str(), state.filter.cursor, state.filter.generation),
            TextField::Palette => match state.overlays.last() {
                Some(Overlay::Palette(palette)) => (palette.text.as_str(), palette.text.len(), 0),
                _ => ("", 0, 0),
            },
            TextField::Prompt => match state.overlays.last() {
                Some(Overlay::Prompt(prompt)) => (prompt.text.as_str(), prompt.text.len(), 0),
                _ => ("", 0, 0),
            },
            TextField::Search => state.detail.as_ref().map_or(("", 0, 0), |d| (d.search.as_str(), d.search.len(), 0)),
        };
        let same =
            self.from == Some((typing, generation)) && self.area.lines().first().is_some_and(|line| line == text);
        if same {
            return;
        }
        self.area = TextArea::new(vec![text.to_owned()]);
        let column = text.get(..cursor).map_or(0, |before| before.chars().count());
        self.area.move_cursor(CursorMove::Jump(0, saturating_u16(column)));
        self.from = Some((typing, generation));
    }

    /// The text, and the position of the cursor in bytes.
    fn text(&self) -> (String, usize) {
        let text = self.area.lines().first().cloned().unwrap_or_default();
        let column = self.area.cursor().1;
        let cursor = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
        (text, cursor)
    }
}

fn editor_input(key: KeyEvent) -> EditorInput {
    let code = match key.code {
        KeyCode::Char(c) => EditorKey::Char(c),
        KeyCode::Backspace => EditorKey::Backspace,
        KeyCode::Delete => EditorKey::Delete,
        KeyCode::Left => EditorKey::Left,
        KeyCode::Right => EditorKey::Right,
        KeyCode::Home => EditorKey::Home,
        KeyCode::End => EditorKey::End,
        _ => EditorKey::Null,
    };
    EditorInput {
        key: code,
        ctrl: key.modifiers.contains(KeyModifiers::CONTROL),
        alt: key.modifiers.contains(KeyModifiers::ALT),
        shift: key.modifiers.contains(KeyModifiers::SHIFT),
    }
}

//! The loop: input and what arrives → events, effects → runtime and terminal, what is shown → pictures.

use super::view::{Picture, draw, scrolling};
use super::{Event, Explorer};
use crate::action::Action;
use crate::config::Hyperlinks;
use crate::effect::{Effect, Instead};
use crate::runtime::{Incoming, Runtime};
use crate::tui::background::{self, Background};
use crate::tui::{
    Appearance, Attention, ColourDepth, Input, Keymap, Painter, Spots, Theme, browser, external, links, terminal,
};
use anyhow::{Context as _, Result};
use async_trait::async_trait;
use crosstail_core::model::Clock;
use crosstail_core::number::truncated_u64;
use crosstail_engine::insight::alerting::described;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long to collect events before drawing.
const TAKE_IN: Duration = Duration::from_millis(25);
/// A picture that takes longer is logged.
const SLOW_PICTURE: Duration = Duration::from_millis(50);

/// An explorer, what carries out its effects, and what arrives.
pub struct Opened {
    pub explorer: Box<Explorer>,
    pub runtime: Runtime,
    pub incoming: Incoming,
}

/// Opens the explorer again.
#[async_trait(?Send)]
pub trait Reopen {
    /// With something else to read.
    async fn reading(&mut self, instead: &Instead) -> Result<Opened>;
}

/// Runs the explorer on this process's terminal until it quits; returns the exit code.
pub async fn run(opened: Opened, clock: Clock, reopen: &mut dyn Reopen) -> Result<u8> {
    let Opened { mut explorer, runtime, mut incoming } = opened;
    let depth = ColourDepth::detect();
    let keymap = Keymap::load(super::vocabulary()).map_err(anyhow::Error::msg)?;
    let background = Background::of(&|name| std::env::var(name).ok());
    let theme = Theme::load(background.theme(&explorer.shared.settings.theme), depth).map_err(anyhow::Error::msg)?;
    explorer.shared.settings.themes = Theme::names();
    terminal::enter().context("no terminal; the commands query, tail, stats and show work without one")?;
    let (inputs, mut input) = mpsc::channel(256);
    terminal::listen(inputs)?;
    let mut out = terminal::writer()?;
    let painter = Painter::new(move |bytes| terminal::write_picture(&mut out, bytes));
    runtime.start(explorer.shared.settings.history_limit);
    let notifies = explorer.shared.settings.terminal_notifications;
    let mut front = Frontend {
        explorer,
        runtime,
        look: Appearance { theme, keymap },
        depth,
        background,
        attention: Attention::new(notifies),
        painter,
        spots: Spots::default(),
        shows_cursor: false,
        clock,
        measured: (Instant::now(), 0),
        outside: None,
        instead: None,
    };
    front.resize();
    front.ask_for_background();
    front.decide_links();
    let code = loop {
        let code = front.run(&mut incoming, &mut input).await;
        let Some(instead) = front.instead.take() else { break code };
        // The next explorer goes on where this one was left.
        front.runtime.kept().await;
        match reopen.reading(&instead).await {
            Ok(opened) => {
                incoming = opened.incoming;
                front.read_anew(opened.explorer, opened.runtime).await;
            }
            Err(error) => front.explorer.shared.notify(format!("{error:#}")),
        }
    };
    terminal::leave();
    // The terminal is the shell's again: nobody sees this wait.
    front.runtime.end().await;
    Ok(code)
}

/// Panics where a test asks for it: here, or (`task`) in a task.
#[cfg(debug_assertions)]
fn panic_if_asked() {
    let Some(asked) = std::env::var_os("CROSSTAIL_TEST_PANIC") else { return };
    if asked == "task" {
        tokio::spawn(async move { assert!(asked.is_empty(), "asked to panic, by a test") });
    } else {
        assert!(asked.is_empty(), "asked to panic, by a test");
    }
}

struct Frontend {
    explorer: Box<Explorer>,
    runtime: Runtime,
    look: Appearance,
    depth: ColourDepth,
    background: Background,
    attention: Attention,
    painter: Painter,
    /// What the places of the last picture stand for.
    spots: Spots,
    /// Whether the last picture showed the cursor.
    shows_cursor: bool,
    clock: Clock,
    /// Time and total of the last count of bytes written.
    measured: (Instant, u64),
    /// A program that has the terminal. Until it ends nothing is drawn; everything else goes on.
    outside: Option<JoinHandle<Option<String>>>,
    /// What is to be read next.
    instead: Option<Instead>,
}

/// Waits for the end of a program that has the terminal; without one, for ever.
async fn ended(outside: Option<&mut JoinHandle<Option<String>>>) -> Option<String> {
    match outside {
        Some(running) => running.await.unwrap_or_else(|error| Some(format!("the program was not run: {error}"))),
        None => std::future::pending().await,
    }
}

/// Why the screen must be redrawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redraw {
    No,
    Data,
    Key,
}

impl Frontend {
    async fn run(&mut self, incoming: &mut Incoming, input: &mut mpsc::Receiver<Input>) -> u8 {
        let Incoming { sources, replies } = incoming;
        let mut due = Redraw::Key;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if due != Redraw::No && self.outside.is_none() && self.painter.wait(due == Redraw::Key).is_zero() {
                self.paint();
                due = Redraw::No;
            }
            if self.painter.is_broken() {
                return 129;
            }
            let wait = if due == Redraw::No || self.outside.is_some() {
                Duration::from_hours(1)
            } else {
                self.painter.wait(due == Redraw::Key).max(Duration::from_millis(1))
            };
            tokio::select! {
                biased;
                said = ended(self.outside.as_mut()) => {
                    self.take_back(said);
                    due = Redraw::Key;
                }
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
                    self.explorer.shared.now = self.clock.now();
                    if let Some(code) = self.event(Event::Reply(ticket, reply)) {
                        return code;
                    }
                    due = Redraw::Key;
                }
                got = sources.recv() => {
                    let Some(got) = got else { return 0 };
                    self.explorer.shared.now = self.clock.now();
                    let begun = Instant::now();
                    let mut next = Some(got);
                    while let Some(event) = next {
                        if let Some(code) = self.event(Event::Pump(event)) {
                            return code;
                        }
                        next = if begun.elapsed() < TAKE_IN { sources.try_recv().ok() } else { None };
                    }
                    self.explorer.count(false);
                    if due != Redraw::Key {
                        due = Redraw::Data;
                    }
                }
                _ = tick.tick() => {
                    #[cfg(debug_assertions)]
                    panic_if_asked();
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

    /// Goes on with another explorer, on the same terminal.
    async fn read_anew(&mut self, explorer: Box<Explorer>, runtime: Runtime) {
        self.explorer = explorer;
        self.explorer.shared.settings.themes = Theme::names();
        runtime.start(self.explorer.shared.settings.history_limit);
        std::mem::replace(&mut self.runtime, runtime).end().await;
        self.resize();
        self.invalidate();
    }

    /// Another program has had the terminal: everything is written again.
    fn invalidate(&mut self) {
        self.painter.invalidate();
        self.attention.forget();
    }

    fn measure(&mut self) {
        let written = self.painter.written();
        let seconds = self.measured.0.elapsed().as_secs_f64().max(0.1);
        self.explorer.shared.bytes_per_second = truncated_u64((written - self.measured.1) as f64 / seconds);
        self.measured = (Instant::now(), written);
    }

    /// Applies an event and carries out its effects. Returns an exit code if the explorer quits.
    fn event(&mut self, event: Event) -> Option<u8> {
        let effects = self.explorer.update(event);
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Option<u8> {
        for effect in effects {
            match self.runtime.run(effect) {
                Some(Effect::Quit) => return Some(0),
                Some(Effect::ReadInstead(instead)) => {
                    self.instead = Some(instead);
                    return Some(0);
                }
                Some(effect) => self.on_terminal(effect),
                None => {}
            }
        }
        None
    }

    /// Carries out an effect that needs the terminal.
    fn on_terminal(&mut self, effect: Effect) {
        match effect {
            Effect::Suspend => {
                terminal::suspend();
                if terminal::enter().is_ok() {
                    self.resize();
                    self.invalidate();
                }
            }
            // On a mistake in a file, the current keymap stays in force.
            Effect::Reload => match Keymap::load(super::vocabulary()) {
                Ok(keymap) => {
                    self.look.keymap = keymap;
                    self.explorer.shared.settings.themes = Theme::names();
                    self.explorer.shared.notify("keymap and themes reloaded");
                }
                Err(problem) => self.explorer.shared.notify(problem),
            },
            Effect::Redraw => {
                self.load_theme();
                self.invalidate();
            }
            Effect::Mouse(on) => {
                let bytes: &[u8] = if on { b"\x1b[?1002h\x1b[?1006h" } else { b"\x1b[?1006l\x1b[?1002l" };
                self.painter.send(bytes.to_vec());
            }
            Effect::Copy(text) => self.copy(&text),
            Effect::OpenUrl(url) => self.open(&url),
            Effect::RunExternal(it) => {
                // The loop goes on meanwhile: sources must not wait for a person in an editor.
                tracing::info!("the terminal is lent to a program");
                self.outside = Some(tokio::task::spawn_blocking(move || external::run(&it)));
            }
            _ => {}
        }
    }

    /// The program that had the terminal has ended.
    fn take_back(&mut self, said: Option<String>) {
        self.outside = None;
        tracing::info!("the terminal is back");
        self.resize();
        self.invalidate();
        if let Some(said) = said {
            self.explorer.shared.notify(said);
        }
    }

    /// Puts the chosen theme in force, in the colours of the terminal.
    fn load_theme(&mut self) {
        match Theme::load(self.background.theme(&self.explorer.shared.settings.theme), self.depth) {
            Ok(theme) => self.look.theme = theme,
            Err(problem) => self.explorer.shared.notify(problem),
        }
    }

    /// The answer is an input. A theme of 16 or more colours is not for every background.
    fn ask_for_background(&mut self) {
        let chosen_by_it = self.explorer.shared.settings.theme == background::AUTO && self.depth != ColourDepth::None;
        if chosen_by_it && Background::can_be_asked(&|name| std::env::var(name).ok()) {
            self.painter.send(background::ASK.to_vec());
        }
    }

    /// Addresses are links where the terminal is known to understand them; the answer to a question is an input.
    fn decide_links(&mut self) {
        let variable = |name: &str| std::env::var(name).ok();
        let chosen = self.explorer.shared.settings.hyperlinks;
        let is_known = chosen == Hyperlinks::Auto && links::are_understood(&variable);
        self.painter.set_links(chosen == Hyperlinks::On || is_known);
        if chosen == Hyperlinks::Auto && !is_known && Background::can_be_asked(&variable) {
            self.painter.send(links::ASK.to_vec());
        }
    }

    fn resize(&mut self) {
        let (width, height) = terminal::size().unwrap_or(self.explorer.shared.size);
        // A size asks nothing of the runtime.
        drop(self.explorer.update(Event::Resize(width, height)));
    }

    fn paint(&mut self) {
        let begun = Instant::now();
        let Picture { buffer: picture, cursor, spots } = draw(&self.explorer, &self.look);
        if begun.elapsed() > SLOW_PICTURE {
            tracing::warn!(took = ?begun.elapsed(), rows = self.explorer.shared.store.len(), "slow picture");
        }
        self.painter.paint(picture, &spots, scrolling(&self.explorer), cursor);
        self.spots = spots;
        if cursor.is_none() && self.shows_cursor {
            self.painter.send(b"\x1b[?25l".to_vec());
        }
        self.shows_cursor = cursor.is_some();
        self.attend();
    }

    /// Shows in the title how many alerts fire, and notifies of a new one.
    fn attend(&mut self) {
        let alerts = &self.explorer.shared.alerts.alerting.alerts;
        let newest = || {
            let alert = alerts.firing().max_by_key(|alert| alert.fired_at)?;
            Some(format!("{} {}", alert.title, described(&alert.group, &alert.reason)))
        };
        let bytes = self.attention.show(alerts.firing().count(), newest);
        if !bytes.is_empty() {
            self.painter.send(bytes);
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
            self.explorer.shared.notify(said);
            return;
        }
        use base64::Engine as _;
        let coded = base64::engine::general_purpose::STANDARD.encode(safe.as_bytes());
        let plain = format!("\x1b]52;c;{coded}\x07");
        let wrapped =
            if std::env::var_os("TMUX").is_some() { format!("\x1bPtmux;\x1b{plain}\x1b\\") } else { String::new() };
        self.painter.send((plain + &wrapped).into_bytes());
    }

    /// Opens an address in the browser; where there is none, it is copied and shown.
    fn open(&mut self, url: &str) {
        if browser::is_there() && browser::open(url).is_ok() {
            self.explorer.shared.notify(format!("opened {url}"));
            return;
        }
        self.copy(url);
        self.explorer.shared.notify(format!("no browser here: copied {url}"));
    }

    fn input(&mut self, input: Input) -> Option<u8> {
        self.explorer.shared.now = self.clock.now();
        let event = match input {
            Input::End(code) => return Some(code),
            Input::Key(stroke) => {
                let effects = self.explorer.press(&self.look, stroke);
                return self.carry_out(effects);
            }
            Input::Focus(is_watched) => {
                self.attention.focus(is_watched);
                if is_watched {
                    self.ask_for_background();
                }
                return None;
            }
            Input::Background(background) => {
                if std::mem::replace(&mut self.background, background) != background {
                    self.load_theme();
                }
                return None;
            }
            Input::HasLinks => {
                self.painter.set_links(self.explorer.shared.settings.hyperlinks != Hyperlinks::Off);
                return None;
            }
            Input::Continued if self.outside.is_some() => return None,
            Input::Continued => {
                // The process was stopped by a signal: the terminal may be in any state.
                let _ = terminal::enter();
                self.invalidate();
                return None;
            }
            Input::Resized => {
                self.resize();
                // A terminal cuts or wraps its lines at every size: also at one between two pictures of the same size.
                self.painter.invalidate();
                return None;
            }
            Input::Stop => Event::Action(Action::SUSPEND),
            Input::Paste(text) => Event::Pasted(text),
            Input::Mouse(gesture, x, y) => Event::Pointed(gesture, self.spots.at(x, y)?),
        };
        self.event(event)
    }
}

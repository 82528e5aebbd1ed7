//! The key bar: the available actions, with their keys from the keymap.

use crate::action::Action;
use crate::app::{AppState, Focus, Screen};
use crate::tui::look::Appearance;
use crate::tui::text::{put, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::tui) fn render(state: &AppState, area: Rect, buf: &mut Buffer, look: &Appearance) {
    if area.height == 0 {
        return;
    }
    let typing = |hints: &'static [(&'static str, &'static str)]| {
        hints.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect::<Vec<_>>()
    };
    let hints: Vec<(String, &str)> = if state.focus == Focus::Filter {
        typing(&[("tab", "complete"), ("↑↓", "choose"), ("⏎", "keep"), ("esc", "as before")])
    } else {
        actions(state.screen, state.focus)
            .iter()
            .map(|(action, text)| (look.keymap.keys(*action).split(' ').next().unwrap_or_default().to_owned(), *text))
            .collect()
    };
    let mut x = area.x + 1;
    for (key, text) in hints {
        let needed = width(&key) + width(text) + 3;
        if x + needed > area.right() {
            break;
        }
        x = put(buf, x, area.y, &key, 12, look.theme.key);
        x = put(buf, x + 1, area.y, text, 20, look.theme.dim) + 2;
    }
}

/// The actions of a screen, or of a panel on it, the most useful first.
fn actions(screen: Screen, focus: Focus) -> &'static [(Action, &'static str)] {
    match (screen, focus) {
        (Screen::FirstRun, _) => {
            &[(Action::WriteConfig, "write a config"), (Action::Help, "help"), (Action::Quit, "quit")]
        }
        (Screen::Contrast, _) => &[
            (Action::Open, "narrow to it"),
            (Action::Exclude, "exclude it"),
            (Action::Back, "back"),
            (Action::Palette, "commands"),
        ],
        (Screen::Health, _) => &[
            (Action::Open, "open the system"),
            (Action::ZoomOut, "longer"),
            (Action::Alerts, "alerts"),
            (Action::Report, "report"),
            (Action::Back, "back"),
            (Action::Palette, "commands"),
        ],
        (Screen::System, _) => &[
            (Action::Open, "show its activities"),
            (Action::Report, "report"),
            (Action::Back, "all systems"),
            (Action::Palette, "commands"),
        ],
        (Screen::Alerts, _) => &[
            (Action::Open, "what is behind it"),
            (Action::Acknowledge, "acknowledge"),
            (Action::Resolve, "resolve"),
            (Action::Silence, "silence"),
            (Action::Report, "report"),
            (Action::Back, "back"),
        ],
        (Screen::Sources, _) => &[
            (Action::Open, "show its activities"),
            (Action::Back, "back"),
            (Action::Health, "health"),
            (Action::Palette, "commands"),
        ],
        (_, Focus::Detail) => &[
            (Action::NextTab, "tab"),
            (Action::Open, "fold/open"),
            (Action::Filter, "search"),
            (Action::Retries, "retries"),
            (Action::Trace, "trace"),
            (Action::Compare, "compare"),
            (Action::Keep, "keep value"),
            (Action::Jq, "jq"),
            (Action::Reveal, "reveal"),
            (Action::Mark, "mark"),
            (Action::Pager, "pager"),
            (Action::CopyMarkdown, "copy"),
            (Action::Back, "close"),
        ],
        (_, Focus::Facets) => &[
            (Action::Open, "narrow"),
            (Action::Exclude, "exclude"),
            (Action::FocusNext, "next panel"),
            (Action::Back, "list"),
        ],
        (_, Focus::Histogram) => &[
            (Action::Left, "move"),
            (Action::Right, "move"),
            (Action::Open, "range"),
            (Action::ZoomIn, "zoom"),
            (Action::ZoomOut, "zoom out"),
            (Action::Back, "list"),
        ],
        _ => &[
            (Action::Filter, "filter"),
            (Action::Open, "open"),
            (Action::NextFailure, "next failure"),
            (Action::Retries, "retries"),
            (Action::Trace, "trace"),
            (Action::Compare, "why"),
            (Action::Find, "find"),
            (Action::Health, "health"),
            (Action::Alerts, "alerts"),
            (Action::Keep, "keep"),
            (Action::Exclude, "exclude"),
            (Action::FocusNext, "panels"),
            (Action::Palette, "commands"),
            (Action::Quit, "quit"),
        ],
    }
}

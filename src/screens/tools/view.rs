//! How links and commands are drawn: a line each, a command in full before it runs, and what it printed.

use super::{Running, Tools};
use crate::tui::dialog::dialog;
use crate::tui::text::{count, fit, left, put, safe, width};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::saturating_u16;
use crosstail_engine::insight::Filled;
use crosstail_export::shell_quote;
use ratatui::layout::Rect;

pub(super) fn render(tools: &Tools, canvas: &mut Canvas<'_>) {
    if let Some(running) = &tools.running {
        return output(running, canvas);
    }
    let asked = tools.items.get(tools.line.0).filter(|_| tools.is_asked).and_then(|item| match &item.filled {
        Ok(Filled::Command(words)) => Some((&item.tool.name, words)),
        _ => None,
    });
    if let Some((name, words)) = asked {
        return confirm(name, words, canvas);
    }
    let height = saturating_u16(tools.items.len()) + 2;
    let inside = dialog(canvas, 110, height.min(canvas.area.height), " links and commands ");
    let theme = &canvas.look.theme;
    let names = tools.items.iter().map(|item| width(&safe(&item.tool.name))).max().unwrap_or(0).min(24);
    let first = (tools.line.0 + 1).saturating_sub(usize::from(inside.height));
    for (y, (index, item)) in (inside.y..inside.bottom()).zip(tools.items.iter().enumerate().skip(first)) {
        let (text, is_usable) = match &item.filled {
            Ok(Filled::Url(url)) => (safe(url), true),
            Ok(Filled::Command(words)) => (format!("$ {}", line(words)), true),
            Err(why) => (safe(why), false),
        };
        let style = if is_usable { theme.text } else { theme.dim };
        let text = format!(" {}  {text}", left(&safe(&item.tool.name), names));
        put(canvas.buf, inside.x, y, &left(&text, inside.width), inside.width, style);
        if let Ok(Filled::Url(url)) = &item.filled {
            let before = names + 3;
            let room = inside.width.saturating_sub(before);
            canvas.spots.add_link(inside.x + before, y, width(&safe(url)).min(room), url);
        }
        canvas.at(inside).choice(y, Spot::Part(Part::LINE, index), index == tools.line.0);
    }
}

/// A command on one line, as a shell would be told it.
fn line(words: &[String]) -> String {
    let plain =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:@=,+".contains(c));
    let quoted = |word: &String| if plain(word) { word.clone() } else { shell_quote(word) };
    safe(&words.iter().map(quoted).collect::<Vec<_>>().join(" "))
}

/// The command in full: an argument a line.
fn confirm(name: &str, words: &[String], canvas: &mut Canvas<'_>) {
    let height = (saturating_u16(words.len()) + 5).min(canvas.area.height);
    let inside = dialog(canvas, 110, height, &format!(" {} · run it? ", safe(name)));
    let theme = &canvas.look.theme;
    let rows = usize::from(inside.height.saturating_sub(2));
    for (at, word) in words.iter().enumerate().take(rows) {
        let label = if at == 0 { "program".to_owned() } else { format!("{at:>7}") };
        let y = inside.y + saturating_u16(at);
        let x = put(canvas.buf, inside.x + 1, y, &format!("{label}  "), inside.width, theme.dim);
        let room = (inside.right()).saturating_sub(x + 1);
        put(canvas.buf, x, y, &fit(&safe(word), room), room, theme.title);
    }
    let y = inside.bottom().saturating_sub(1);
    let more = words.len().saturating_sub(rows);
    let more = if more > 0 { format!("and {more} more arguments · ") } else { String::new() };
    let text = format!("{more}Enter runs it, without a shell · Esc does not");
    put(canvas.buf, inside.x + 1, y, &text, inside.width.saturating_sub(2), theme.warning);
}

/// What it printed so far.
fn output(running: &Running, canvas: &mut Canvas<'_>) {
    let Rect { width: wide, height, .. } = canvas.area;
    let end = match &running.end {
        None => "running".to_owned(),
        Some(end) => end.clone(),
    };
    let room = wide.saturating_sub(8);
    let title = format!(" {end} · {} lines · $ {} ", count(running.lines.len()), line(&running.words));
    let inside = dialog(canvas, wide.saturating_sub(4), height.saturating_sub(4), &fit(&title, room));
    let theme = &canvas.look.theme;
    let rows = usize::from(inside.height);
    let last = running.lines.len().saturating_sub(rows);
    let first = running.first.unwrap_or(last).min(last);
    for (y, (text, is_error)) in (inside.y..inside.bottom()).zip(running.lines.iter().skip(first)) {
        let style = if *is_error { theme.warning } else { theme.text };
        put(canvas.buf, inside.x + 1, y, &safe(text), inside.width.saturating_sub(2), style);
    }
    if running.lines.is_empty() {
        let text = if running.end.is_some() { "it printed nothing" } else { "nothing printed yet" };
        put(canvas.buf, inside.x + 1, inside.y, text, inside.width, theme.dim);
    }
}

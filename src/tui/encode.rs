//! Cells → bytes, as few as possible, for terminals over SSH.
//!
//! ratatui's own back end moves the cursor to every gap and repeats complete styles. This encoder crosses a gap by the
//! cheapest of three moves, writes only what differs of a style, erases blank tails, and scrolls lines that only moved.

use super::leads::{Leads, sequence};
use crosstail_core::model::is_hostile;
use crosstail_core::number::saturating_u16;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::sync::Arc;

/// Writes bytes for a terminal, and keeps track of its cursor and style.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    out: Vec<u8>,
    at: Option<(u16, u16)>,
    style: Option<(Color, Color, Modifier)>,
    /// The link that is begun.
    link: Option<Arc<str>>,
}

impl Encoder {
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Begins a link, or ends the one that is begun.
    fn lead(&mut self, target: Option<&Arc<str>>) {
        if self.link.as_ref() != target {
            self.raw(sequence(target).as_bytes());
            self.link = target.cloned();
        }
    }

    /// Assumes nothing about cursor and style from now on.
    pub(super) fn invalidate(&mut self) {
        self.at = None;
        self.style = None;
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Scrolls full-width rows `top..bottom` up by `lines`; the new rows are blank.
    pub(super) fn scroll_up(&mut self, top: u16, bottom: u16, lines: u16) {
        self.raw(b"\x1b[0m");
        self.raw(format!("\x1b[{};{}r\x1b[{};1H", top + 1, bottom, bottom).as_bytes());
        for _ in 0..lines {
            self.out.push(b'\n');
        }
        self.raw(b"\x1b[r");
        self.invalidate();
    }

    /// Writes the difference between two buffers of the same size, whose cells lead somewhere.
    pub(super) fn difference(&mut self, (before, led): (&Buffer, &Leads), (after, leads): (&Buffer, &Leads)) {
        let area = after.area;
        let differs = |x: u16, y: u16| led.at(x, y) != leads.at(x, y);
        for y in area.top()..area.bottom() {
            let row = |buffer: &Buffer, x: u16| buffer.cell((x, y)).cloned().unwrap_or_default();
            let blank_from =
                (area.left()..area.right()).rev().find(|x| !is_blank(&row(after, *x))).map_or(area.left(), |x| x + 1);
            let mut x = area.left();
            // Overwriting half of a wide character leaves a cell that matches neither buffer.
            let mut torn = area.left();
            while x < area.right() {
                let cell = row(after, x);
                let width = width_of(&cell);
                if cell != row(before, x) || x < torn || differs(x, y) {
                    let over = (x..(x + width).min(area.right())).map(|x| x + width_of(&row(before, x))).max();
                    torn = torn.max(over.unwrap_or(x));
                    let tail = area.right() - x;
                    if x >= blank_from
                        && tail >= 6
                        && (x..area.right()).filter(|x| row(before, *x) != row(after, *x)).count() >= 4
                    {
                        self.go(x, y, (after, leads));
                        self.lead(None);
                        self.style_of(&Cell::default());
                        self.raw(b"\x1b[K");
                        self.at = Some((x, y));
                        break;
                    }
                    self.go(x, y, (after, leads));
                    self.lead(leads.at(x, y));
                    self.put(&cell);
                    self.at = (x + width < area.right()).then_some((x + width, y));
                }
                x += width;
            }
        }
        self.lead(None);
    }

    /// Moves the cursor the cheapest way: rewrites unchanged cells, moves forward, or goes to the position.
    fn go(&mut self, x: u16, y: u16, (after, leads): (&Buffer, &Leads)) {
        if self.at == Some((x, y)) {
            return;
        }
        if let Some((from, row)) = self.at
            && row == y
            && from < x
            && x < after.area.width
        {
            let gap = x - from;
            let between: Vec<Cell> = (from..x).filter_map(|x| after.cell((x, y)).cloned()).collect();
            let leads_alike = (from..x).all(|x| leads.at(x, y) == self.link.as_ref());
            let is_plain = |cell: &Cell| self.style == Some(look(cell)) && cell.symbol().len() == 1;
            let same = leads_alike && between.iter().all(is_plain);
            if gap <= 4 && same {
                for cell in between {
                    self.put(&cell);
                }
            } else if gap == 1 {
                self.raw(b"\x1b[C");
            } else {
                self.raw(format!("\x1b[{gap}C").as_bytes());
            }
        } else if self.at.is_some_and(|(_, row)| row + 1 == y) && x == 0 {
            self.raw(b"\r\n");
        } else if x == 0 {
            self.raw(format!("\x1b[{}H", y + 1).as_bytes());
        } else {
            self.raw(format!("\x1b[{};{}H", y + 1, x + 1).as_bytes());
        }
        self.at = Some((x, y));
    }

    fn put(&mut self, cell: &Cell) {
        self.style_of(cell);
        let symbol = cell.symbol();
        if symbol.is_empty() {
            self.out.push(b' ');
        } else if symbol.chars().any(is_hostile) {
            // All text was sanitized before; this is the last line of defence.
            self.raw("·".as_bytes());
        } else {
            self.raw(symbol.as_bytes());
        }
    }

    fn style_of(&mut self, cell: &Cell) {
        let wanted = look(cell);
        if self.style == Some(wanted) {
            return;
        }
        let (fg, bg, modifier) = wanted;
        let reset = (Color::Reset, Color::Reset, Modifier::empty());
        let mut now = self.style;
        let mut codes: Vec<String> = Vec::new();
        // Only a reset removes a modifier safely.
        if now.is_none_or(|(_, _, m)| !modifier.contains(m)) || wanted == reset {
            codes.push("0".to_owned());
            now = Some(reset);
        }
        let (fg_now, bg_now, modifier_now) = now.unwrap_or(reset);
        for (flag, code) in [
            (Modifier::BOLD, "1"),
            (Modifier::DIM, "2"),
            (Modifier::ITALIC, "3"),
            (Modifier::UNDERLINED, "4"),
            (Modifier::REVERSED, "7"),
        ] {
            if modifier.contains(flag) && !modifier_now.contains(flag) {
                codes.push(code.to_owned());
            }
        }
        if fg != fg_now {
            codes.push(colour_code(fg, false));
        }
        if bg != bg_now {
            codes.push(colour_code(bg, true));
        }
        let text = if codes == ["0"] { "\x1b[m".to_owned() } else { format!("\x1b[{}m", codes.join(";")) };
        self.raw(text.as_bytes());
        self.style = Some(wanted);
    }
}

fn look(cell: &Cell) -> (Color, Color, Modifier) {
    (cell.fg, cell.bg, cell.modifier)
}

fn is_blank(cell: &Cell) -> bool {
    (cell.symbol() == " " || cell.symbol().is_empty())
        && cell.bg == Color::Reset
        && !cell.modifier.intersects(Modifier::REVERSED | Modifier::UNDERLINED)
}

fn width_of(cell: &Cell) -> u16 {
    use unicode_width::UnicodeWidthStr as _;
    saturating_u16(cell.symbol().width()).max(1)
}

/// SGR parameters (ECMA-48 8.3.117; indexed and RGB colours as xterm's `38;5` and `38;2`).
fn colour_code(colour: Color, background: bool) -> String {
    let base = if background { 40 } else { 30 };
    let named = |n: u8| (base + n).to_string();
    let bright = |n: u8| (base + 60 + n).to_string();
    match colour {
        Color::Reset => (base + 9).to_string(),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

/// The number of lines by which to scroll a range of rows of `before` up so that it resembles `after` most; 0 if
/// scrolling does not help.
pub(super) fn scrolled_by(before: &Buffer, after: &Buffer, columns: (u16, u16), rows: (u16, u16)) -> u16 {
    let line = |buffer: &Buffer, y: u16| -> Vec<Cell> {
        (columns.0..columns.1).filter_map(|x| buffer.cell((x, y)).cloned()).collect()
    };
    let old: Vec<_> = (rows.0..rows.1).map(|y| line(before, y)).collect();
    let new: Vec<_> = (rows.0..rows.1).map(|y| line(after, y)).collect();
    let height = old.len();
    let equal = |by: usize| (0..height - by).filter(|y| old[y + by] == new[*y]).count();
    let stays = equal(0);
    let best = (1..height.saturating_sub(2))
        .map(|by| (equal(by), by))
        .max_by_key(|(same, by)| (*same, std::cmp::Reverse(*by)));
    match best {
        // Scrolling also moves the panels next to the list, which must then be redrawn: it must save more than that.
        Some((same, by)) if same > stays + height / 4 => saturating_u16(by),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::{Spot, Spots};
    use proptest::prelude::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn buffer(lines: &[(String, u8)]) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 8));
        for (y, (text, style)) in lines.iter().take(8).enumerate() {
            let style = match style % 5 {
                0 => Style::new(),
                1 => Style::new().fg(Color::Red),
                2 => Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Blue),
                3 => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
                _ => Style::new().fg(Color::Indexed(99)).add_modifier(Modifier::DIM),
            };
            buffer.set_stringn(u16::from(style.bg.is_some()) * 3, saturating_u16(y), text, 25, style);
        }
        buffer
    }

    fn terminal() -> vt100::Parser {
        let size = |n| std::num::NonZeroU16::new(n).expect("not zero");
        vt100::Parser::new(size(8), size(30), 0)
    }

    fn shown(parser: &vt100::Parser) -> Vec<String> {
        parser.screen().rows(0, 30).map(|row| row.trim_end().to_owned()).collect()
    }

    proptest! {
        /// A real terminal that got only the differences shows what the buffer holds.
        #[test]
        fn a_terminal_shows_what_the_buffers_hold(frames in prop::collection::vec(prop::collection::vec(("[a-z 漢é]{0,25}", any::<u8>()), 8), 1..8)) {
            let mut parser = terminal();
            let mut encoder = Encoder::default();
            let mut before = Buffer::empty(Rect::new(0, 0, 30, 8));
            for frame in &frames {
                let after = buffer(frame);
                let by = scrolled_by(&before, &after, (0, 30), (1, 7));
                if by > 0 {
                    encoder.scroll_up(1, 7, by);
                    super::super::painter::scroll_buffer(&mut before, 1, 7, by);
                }
                encoder.difference((&before, &Leads::default()), (&after, &Leads::default()));
                parser.process(&encoder.take());
                let mut whole = terminal();
                let mut fresh = Encoder::default();
                let nowhere = Leads::default();
                fresh.difference((&Buffer::empty(Rect::new(0, 0, 30, 8)), &nowhere), (&after, &nowhere));
                whole.process(&fresh.take());
                prop_assert_eq!(shown(&parser), shown(&whole));
                for y in 0..8 {
                    for x in 0..30 {
                        let cell = |p: &vt100::Parser| p.screen().cell(y, x).cloned().expect("inside");
                        let (a, b) = (cell(&parser), cell(&whole));
                        prop_assert_eq!((a.bgcolor(), a.inverse()), (b.bgcolor(), b.inverse()));
                        if !a.contents().trim().is_empty() {
                            prop_assert_eq!((a.fgcolor(), a.bold(), a.dim()), (b.fgcolor(), b.bold(), b.dim()));
                        }
                    }
                }
                before = after;
            }
        }
    }

    /// The cells that were written while a link was begun, by its address. vt100 does not keep links, so this reads them.
    fn linked(bytes: &[u8]) -> Vec<(String, String)> {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        let mut found = Vec::new();
        for part in text.split("\x1b]8;;").skip(1) {
            let (target, written) = part.split_once("\x1b\\").expect("an end");
            if !target.is_empty() {
                // A movement of the cursor writes nothing.
                found.push((target.to_owned(), written.replace("\x1b[C", "")));
            }
        }
        found
    }

    #[test]
    fn a_link_is_written_where_it_is_and_is_gone_with_it() {
        let after = buffer(&[("see https://a.example now".to_owned(), 0)]);
        let mut spots = Spots::default();
        spots.add_link(4, 0, 17, "https://a.example");
        let (nowhere, leads) = (Leads::default(), Leads::of(&spots));
        let blank = Buffer::empty(after.area);
        let mut encoder = Encoder::default();
        encoder.difference((&blank, &nowhere), (&after, &leads));
        let bytes = encoder.take();
        assert_eq!(linked(&bytes), [("https://a.example".to_owned(), "https://a.example".to_owned())]);
        let mut parser = terminal();
        parser.process(&bytes);
        assert_eq!(shown(&parser)[0], "see https://a.example now", "it takes no column");
        encoder.difference((&after, &leads), (&after, &leads));
        assert_eq!(encoder.take(), b"", "nothing has changed");
        // The text stays, and is no link any more.
        encoder.difference((&after, &leads), (&after, &nowhere));
        let bytes = encoder.take();
        assert!(linked(&bytes).is_empty() && String::from_utf8_lossy(&bytes).contains("https://a.example"));
        parser.process(&bytes);
        assert_eq!(shown(&parser)[0], "see https://a.example now");
    }

    #[test]
    fn what_is_covered_is_no_link() {
        let mut spots = Spots::default();
        spots.add(Rect::new(0, 0, 30, 8), Spot::Nothing);
        spots.add_link(0, 0, 5, "https://a.example");
        spots.begin(2);
        spots.add(Rect::new(3, 0, 10, 1), Spot::Nothing);
        let leads = Leads::of(&spots);
        let which: Vec<u16> = (0..30).filter(|x| leads.at(*x, 0).is_some()).collect();
        assert_eq!(which, [0, 1, 2]);
    }
}

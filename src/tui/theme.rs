//! Themes. A theme is a TOML file that gives each role a style. A role is a meaning, such as `failure`, not a colour.

use super::background::AUTO;
use super::contrast::{ANSI, LEVELS, contrast, rgb};
use crate::config::line_at;
use crosstail_core::model::{Activity, Status};
use crosstail_core::number::saturating_u8;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use toml::Spanned;

const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("contrast", include_str!("../../themes/contrast.toml")),
    ("colourblind", include_str!("../../themes/colourblind.toml")),
    ("ansi", include_str!("../../themes/ansi.toml")),
    ("ansi-light", include_str!("../../themes/ansi-light.toml")),
    ("none", include_str!("../../themes/none.toml")),
];

macro_rules! roles {
    ($($role:ident = $name:literal),+ $(,)?) => {
        /// The styles of a theme, by role.
        #[derive(Debug, Clone, Copy, Default)]
        pub struct Theme { $(#[doc = $name] pub $role: Style),+ }

        impl Theme {
            fn set(&mut self, role: &str, style: Style) -> bool {
                match role { $($name => self.$role = style,)+ _ => return false }
                true
            }

            /// The names of the roles.
            pub const ROLES: &'static [&'static str] = &[$($name),+];
        }
    };
}

roles! {
    text = "text", dim = "dim", accent = "accent", title = "title", border = "border", border_focused = "border_focused",
    failure = "failure", warning = "warning", success = "success", pending = "pending", selected = "selected",
    selected_dim = "selected_dim", bar = "bar", bar_failure = "bar_failure", bar_chosen = "bar_chosen", key = "key",
    json_key = "json_key", json_text = "json_text", json_number = "json_number", found = "found", secret = "secret",
}

/// Number of colours that the terminal supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourDepth {
    /// 24-bit colours.
    True,
    /// 256 colours.
    Indexed,
    /// 16 colours.
    Ansi,
    /// No colours.
    None,
}

impl ColourDepth {
    /// Detects the depth from `NO_COLOR`, `COLORTERM` and `TERM`.
    pub fn detect() -> Self {
        Self::of(&|name| std::env::var(name).ok())
    }

    /// The depth by these variables.
    pub(super) fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| variable(name).unwrap_or_default();
        if !var("NO_COLOR").is_empty() || var("TERM") == "dumb" {
            Self::None
        } else if ["truecolor", "24bit"].contains(&var("COLORTERM").as_str()) {
            Self::True
        } else if var("TERM").contains("256color") || var("TERM").contains("direct") {
            Self::Indexed
        } else {
            Self::Ansi
        }
    }
}

/// How something looks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ThemeEntry {
    /// Colour of the text: `#rrggbb`, `red`, `bright-blue`, `reset`, or a number of the 256 colours.
    fg: Option<String>,
    /// Colour behind the text.
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    italic: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    reverse: bool,
}

impl Theme {
    /// The style of an activity's outcome.
    pub fn outcome(&self, activity: &Activity) -> Style {
        if activity.is_failure() {
            self.failure
        } else if activity.status == Some(Status::InProgress) {
            self.pending
        } else {
            self.success
        }
    }

    /// A style on a line that stands out in the style `line`: its own colour where that can be read there, else the line's.
    fn upon(style: Style, line: Style) -> Style {
        /// The least contrast at which a colour is read.
        const READ: f64 = 3.0;
        let own = style.fg.filter(|_| !line.add_modifier.contains(Modifier::REVERSED));
        let is_read = |fg: Color| match (rgb(fg), line.bg.and_then(rgb)) {
            (Some(fg), Some(bg)) => contrast(fg, bg) >= READ,
            _ => true,
        };
        Style { fg: own.filter(|fg| is_read(*fg)).or(line.fg), ..line }
    }

    /// Makes a line that is drawn stand out from end to end in the style `line`: plain text in that style, a colour that says
    /// something where it can be read there.
    pub fn stand_out(&self, line: Style, area: Rect, buf: &mut Buffer) {
        let plain = [self.text, self.dim, self.title].map(|style| style.fg.unwrap_or(Color::Reset));
        // What is reversed has the colours of the line alone.
        let is_reversed = line.add_modifier.contains(Modifier::REVERSED);
        for at in area.intersection(buf.area).positions() {
            let cell = &mut buf[at];
            if cell.bg != Color::Reset {
                continue;
            }
            let own = Style::new().fg(cell.fg);
            let is_plain = is_reversed || cell.fg == Color::Reset || plain.contains(&cell.fg);
            let style = if is_plain { line } else { Self::upon(own, line) };
            cell.set_style(if is_reversed { style.fg(line.fg.unwrap_or(Color::Reset)) } else { style });
        }
    }

    /// The JSON Schema of the file of a theme.
    pub fn file_schema(generator: &mut SchemaGenerator) -> schemars::Schema {
        let mut schema = generator.root_schema_for::<BTreeMap<String, ThemeEntry>>();
        let entry = schema.remove("additionalProperties").unwrap_or_default();
        let roles: Map<String, Value> = Self::ROLES.iter().map(|role| ((*role).to_owned(), entry.clone())).collect();
        schema.insert("properties".to_owned(), roles.into());
        schema.insert("additionalProperties".to_owned(), false.into());
        schema
    }

    /// Names of the built-in themes and the user's.
    pub fn names() -> Vec<String> {
        let built_in = BUILT_IN.iter().map(|(name, _)| *name);
        let mut names: Vec<String> = std::iter::once(AUTO).chain(built_in).map(str::to_owned).collect();
        if let Some(folder) = crate::config::folder() {
            let entries = std::fs::read_dir(folder.join("themes")).into_iter().flatten().flatten();
            names.extend(
                entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned())),
            );
        }
        names.dedup();
        names
    }

    /// Loads a theme by name, in the colours that the terminal supports.
    pub fn load(name: &str, depth: ColourDepth) -> Result<Self, String> {
        let name = match (depth, name) {
            (ColourDepth::None, _) => "none",
            // The nearest of 16 colours are too near to each other; there are themes of them.
            (ColourDepth::Ansi, "dark") => "ansi",
            (ColourDepth::Ansi, "light") => "ansi-light",
            (_, name) => name,
        };
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(text, name, depth);
        }
        let path = crate::config::folder().map(|folder| folder.join("themes").join(format!("{name}.toml")));
        let Some(path) = path.filter(|path| path.exists()) else {
            let names = Self::names();
            let near = crosstail_core::filter::suggest(name, names.iter().map(String::as_str));
            let hint = near.map_or_else(
                || format!("the themes are {}", names.join(", ")),
                |near| format!("did you mean '{near}'?"),
            );
            return Err(format!("no theme '{name}'; {hint}"));
        };
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text, &path.display().to_string(), depth)
    }

    /// Parses a theme. Roles that it does not name look like `text`. An error begins with the origin and the line.
    pub fn parse(text: &str, origin: &str, depth: ColourDepth) -> Result<Self, String> {
        let wrong = |byte: usize, why: &str| format!("{origin}:{}: {why}", line_at(text, byte));
        let entries: BTreeMap<Spanned<String>, Spanned<ThemeEntry>> =
            toml::from_str(text).map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
        let style = |entry: &Spanned<ThemeEntry>| {
            entry.get_ref().style(depth).map_err(|error| wrong(entry.span().start, &error))
        };
        let mut theme = Self::default();
        let base = entries.get("text").map(style).transpose()?.unwrap_or_default();
        for role in Self::ROLES {
            theme.set(role, base);
        }
        for (role, entry) in &entries {
            let name = role.get_ref().as_str();
            if !theme.set(name, style(entry)?) {
                let near = crosstail_core::filter::suggest(name, Self::ROLES.iter().copied());
                let hint = near.map_or_else(|| Self::ROLES.join(", "), |near| format!("did you mean '{near}'?"));
                return Err(wrong(role.span().start, &format!("no role '{name}'; {hint}")));
            }
        }
        Ok(theme)
    }
}

impl ThemeEntry {
    fn style(&self, depth: ColourDepth) -> Result<Style, String> {
        let mut style = Style::new();
        // The dark grey of 16 colours is the background of some terminals, and too near to it in others.
        let is_lost = |colour: Color| depth == ColourDepth::Ansi && colour == Color::DarkGray;
        let fg = self.fg.as_ref().map(|fg| colour(fg, depth)).transpose()?;
        let bg = self.bg.as_ref().map(|bg| colour(bg, depth)).transpose()?;
        match fg {
            Some(fg) if is_lost(fg) => style = style.add_modifier(Modifier::DIM),
            Some(fg) => style = style.fg(fg),
            None => {}
        }
        match bg {
            Some(bg) if is_lost(bg) => style = Style { fg: None, ..style }.add_modifier(Modifier::REVERSED),
            Some(bg) => style = style.bg(bg),
            None => {}
        }
        let modifiers = [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.italic, Modifier::ITALIC),
            (self.underline, Modifier::UNDERLINED),
            (self.reverse, Modifier::REVERSED),
        ];
        Ok(modifiers
            .into_iter()
            .filter(|(set, _)| *set)
            .fold(style, |style, (_, modifier)| style.add_modifier(modifier)))
    }
}

/// Converts a theme's colour (`#rrggbb` or a name) to the nearest that the terminal supports.
fn colour(text: &str, depth: ColourDepth) -> Result<Color, String> {
    let colour: Color =
        text.parse().map_err(|_| format!("'{text}' is not a colour; write #rrggbb, red, bright-blue, reset"))?;
    Ok(match (colour, depth) {
        (_, ColourDepth::None) => Color::Reset,
        (Color::Rgb(r, g, b), ColourDepth::Indexed) => Color::Indexed(nearest_256(r, g, b)),
        (Color::Rgb(r, g, b), ColourDepth::Ansi) => nearest_16(r, g, b),
        (colour, _) => colour,
    })
}

/// The nearest colour in the 6×6×6 cube and the 24 greys of xterm's palette.
fn nearest_256(r: u8, g: u8, b: u8) -> u8 {
    let near = |v: u8| (0..6).min_by_key(|i| LEVELS[*i].abs_diff(v)).unwrap_or(0);
    let distance = |(x, y, z): (u8, u8, u8)| {
        let d = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        d(x, r) + d(y, g) + d(z, b)
    };
    let (ri, gi, bi) = (near(r), near(g), near(b));
    let cube = distance((LEVELS[ri], LEVELS[gi], LEVELS[bi]));
    let mean = saturating_u8((u16::from(r) + u16::from(g) + u16::from(b)) / 3);
    let step = (i32::from(mean) - 3).clamp(0, 235) / 10;
    let step = saturating_u8(step.min(23));
    let grey = 8 + 10 * step;
    if distance((grey, grey, grey)) < cube { 232 + step } else { saturating_u8(16 + 36 * ri + 6 * gi + bi) }
}

fn nearest_16(r: u8, g: u8, b: u8) -> Color {
    let d = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    ANSI.iter().min_by_key(|(_, [x, y, z])| d(*x, r) + d(*y, g) + d(*z, b)).map_or(Color::Reset, |found| found.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_is_good_in_every_depth() {
        for (name, _) in BUILT_IN {
            for depth in [ColourDepth::True, ColourDepth::Indexed, ColourDepth::Ansi, ColourDepth::None] {
                Theme::load(name, depth).expect(name);
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str| Theme::parse(text, "own.toml", ColourDepth::True).expect_err("wrong");
        let role = wrong("title = { bold = true }\nfalure = { fg = \"red\" }");
        assert_eq!(role, "own.toml:2: no role 'falure'; did you mean 'failure'?");
        assert!(wrong("\n\nfailure = { fg = \"redd\" }").starts_with("own.toml:3: 'redd' is not a colour"));
        assert!(wrong("title = { bold = true }\n[key]\nbold = 3\n").starts_with("own.toml:3: "));
    }

    #[test]
    fn colours_fall_to_what_there_is() {
        assert_eq!(colour("#ff0000", ColourDepth::Indexed), Ok(Color::Indexed(196)));
        assert_eq!(colour("#808080", ColourDepth::Indexed), Ok(Color::Indexed(244)));
        assert_eq!(colour("#ff5555", ColourDepth::Ansi), Ok(Color::LightRed));
    }
}

//! What help and man pages say beyond the options: the filter language, exit codes, variables, files.

use super::exit;
use super::output::aligned;
use super::wrap::wrapped;
use crate::kinds;
use crosstail_core::filter::{Field, ValueType};
use std::io::{self, Write};

/// Columns of the texts.
const WIDTH: usize = 100;

const LANGUAGE: &str = "\
A filter is conditions that must all match: status:failed system:SAP latency>1s

  a b, a AND b, a && b     both                          -a, NOT a, !a      not
  a OR b, a || b           either                        (a OR b) c         grouping
  field:(a, b, 1..3)       any of these                  field:*            is there
  field?:value             matches, or is not there      \"two words\", 'a'   text as it is

  :                ignores case. A name matches as a whole, a text anywhere, an id by its first four or more characters.
                   * stands for any text; a value with a * covers the whole value
  = (==)           exactly, with case                    != is the opposite
  > >= < <=        compare
  ~ !~             a regular expression matches, does not: error~/timeout|reset/
  a..b             a range with both ends, of which either may be left out; of times, up to but not including the end, or to
                   the end of a day: time:09:00..09:20, time:2026-11-20..2026-11-21

Text without a field is searched in messages, errors, addresses, names and ids. In quotes, \\\" and \\\\ stand for \" and \\;
any other \\ is itself. OR, AND and NOT may be in lower case.

Times    -15m, '1h ago', now, today, yesterday, 2026-11-20, 2026-11-20T09:00, 09:20, @1763979280, 2026-11-20T09:00:00+02:00
Lengths  250ms, 1.5s, 2m, 1h30m, 3d, 1w, 1mo (30 days), 1y (365 days)
Numbers  503, 5xx, 2k, 1MB, 4KiB
Payload  req.body.lines[*].sku:MAT-1, req.header.x-tenant:a, res.body:\"duplicate key\", res.header.retry-after>10,
         meta.tenant:acme, stack:NullPointer, raw:88123
";

/// The environment variables.
pub(super) const ENVIRONMENT: &str = "\
CROSSTAIL_CONFIG           the configuration file, instead of your own
CROSSTAIL_PROFILE          the profile of the configuration
CROSSTAIL_THEME            the theme
CROSSTAIL_TZ               the time zone
CROSSTAIL_RANGE            the range of time that the explorer opens with
CROSSTAIL_MEMORY           the memory for activities
CROSSTAIL_HISTORY_LIMIT    the number of activities in memory
CROSSTAIL_LOG              what --log-file holds
NO_COLOR                   no colours
CLICOLOR_FORCE             colours, also into a file or a pipe
TERM                       dumb: no colours
PGPASSWORD, MYSQL_PWD      passwords of PostgreSQL and MySQL
XDG_CONFIG_HOME            the folder of the configuration
";

/// The files.
pub(super) const FILES: &str = "\
~/.config/crosstail/config.toml       the configuration
~/.config/crosstail/keymap.toml       keys
~/.config/crosstail/themes/           themes
~/.config/crosstail/schemas/          schemas
~/.config/crosstail/formats/          formats of log files
~/.config/crosstail/rules/            rules of alerts
~/.config/crosstail/json-schema/      what editors check these files by
crosstail.toml                        the configuration of a project, in the current folder or above it
~/.local/state/crosstail/watch.json   the state of crosstail watch
~/.local/state/crosstail/markers.ndjson what was marked
~/.local/state/crosstail/memory.sqlite  what has failed in the last weeks, notes and mutes
";

/// What `:` means for the values of a field.
fn meaning(field: Field) -> &'static str {
    match field.class() {
        _ if field == Field::Pattern => "its words, in which <*> stands for any, or its id",
        ValueType::Keyword => "the whole value",
        ValueType::Text => "anywhere in the text",
        ValueType::Id => "the id or its beginning",
        ValueType::Number => "the number, or 5xx",
        ValueType::Duration => "exactly so long",
        ValueType::Time => "in this time; since, with -",
        ValueType::Word => "one of the words",
    }
}

/// The filter language and its fields.
pub(super) fn filter() -> String {
    let rows: Vec<[String; 5]> = Field::ALL
        .iter()
        .map(|field| {
            let [name, aliases, example] =
                [field.name().to_owned(), field.aliases().join(", "), field.example().to_owned()];
            [name, aliases, example, meaning(*field).to_owned(), field.help().to_owned()]
        })
        .collect();
    let mut out = LANGUAGE.as_bytes().to_vec();
    out.push(b'\n');
    // Writing into memory does not fail.
    let _ = aligned(&mut out, &["field", "aliases", "example", "':' means", "what it is"], &rows);
    String::from_utf8_lossy(&out).into_owned()
}

/// What a source can be: an example of each kind.
pub(super) fn sources() -> String {
    let mut rows: Vec<[String; 2]> =
        kinds::ALL.iter().map(|kind| [kind.example.to_owned(), kind.title.to_owned()]).collect();
    let programs = kinds::ALL.iter().flat_map(|kind| kind.programs);
    rows.extend(programs.map(|(_, form)| [(*form).to_owned(), String::new()]));
    rows.push(["-".to_owned(), "what is piped in".to_owned()]);
    let columns = rows.iter().map(|[example, _]| example.chars().count()).max().unwrap_or(0);
    let lines = rows.iter().map(|[example, title]| format!("{example:columns$}  {title}").trim_end().to_owned() + "\n");
    let hint: String = wrapped(&format!("A source is one of: {}.", kinds::ALL.hint()), WIDTH).join("\n");
    format!("{}\n{hint}\n", lines.collect::<String>())
}

/// The exit codes.
pub(super) fn exit_codes() -> String {
    let mut out = String::new();
    for (code, meaning) in exit::TABLE {
        for (index, line) in wrapped(meaning, WIDTH - 6).into_iter().enumerate() {
            let head = if index == 0 { code.to_string() } else { String::new() };
            out.push_str(&format!("{head:<6}{line}\n"));
        }
    }
    out
}

/// A section of a man page whose lines stay as they are.
pub(super) fn verbatim(out: &mut impl Write, title: &str, text: &str) -> io::Result<()> {
    writeln!(out, ".SH \"{title}\"\n.nf")?;
    for line in text.trim_matches('\n').lines() {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line that begins with a dot or an apostrophe would be a command.
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        writeln!(out, "{guard}{line}")?;
    }
    writeln!(out, ".fi")
}

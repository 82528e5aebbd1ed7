//! Records as columns: the W3C extended format (IIS, CloudFront), Zeek, and CSV with a header of known names.

use crate::read::{Form, Found, Surrounding, first_line, keep_payload, names_service};
use crate::registry::{Dialect, Formats};
use crosstail_core::model::{Level, Surroundings, spelled_time};
use crosstail_core::schema::{Assembler, Node, Scalar, Target};
use serde_json::{Map, Value};

/// The columns that a header names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    separator: Separator,
    /// The date that a directive gave, for records with a time alone.
    date: Option<String>,
    /// The column with the time or the date, where its name is known.
    time: Option<usize>,
}

/// What a line of a table is.
pub(crate) struct Row {
    /// Whether a row begins with it.
    pub(crate) begins: bool,
    /// Whether it ends inside quotation marks, so that the row goes on.
    pub(crate) open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    /// Spaces between fields that have none; `"` around those that have.
    Space,
    /// One character; `"` around fields that have it.
    Char(u8),
}

/// Fewer columns are no table, unless they are a time and a message.
const LEAST: usize = 3;

impl Columns {
    /// The columns that a line names, if it is a header: `#Fields: date time …`, or names separated by `,`, `;` or tabs of
    /// which the formats, or a schema that somebody chose, know a time and something else.
    pub(crate) fn of_header(line: &str, formats: &Formats, chosen: Option<&Dialect>) -> Option<Self> {
        let line = line.trim_end().trim_start_matches('\u{feff}');
        let marked = ["#Fields:", "#fields"].iter().find_map(|mark| line.strip_prefix(mark));
        if let Some(names) = marked {
            let tabs = names.trim_start_matches([' ', '\t']).contains('\t');
            // Exchange separates names and records by commas.
            let commas = names.contains(',') && !names.trim().contains([' ', '\t']);
            let apart = |c: char| c.is_whitespace() || (commas && c == ',');
            let names: Vec<String> =
                names.trim().split(apart).filter(|name| commas || !name.is_empty()).map(str::to_owned).collect();
            // CloudFront and Zeek separate records by tabs, IIS by spaces; the records decide.
            let separator = match (commas, tabs) {
                (true, _) => Separator::Char(b','),
                (_, true) => Separator::Char(b'\t'),
                _ => Separator::Space,
            };
            return (names.len() >= LEAST).then_some(Self { names, separator, date: None, time: None });
        }
        // AWS' flow logs have a header like their records.
        if line.starts_with("version account-id ") {
            let names = line.split_whitespace().map(str::to_owned).collect();
            return Some(Self { names, separator: Separator::Space, date: None, time: None });
        }
        let columns = Self::named(line, b",;\t|", is_any_name)?;
        let usual = [&formats.dialects[formats.plain], formats.of_tables()];
        let trees: Vec<&Node> = chosen.into_iter().chain(usual).map(|dialect| dialect.schema().tree()).collect();
        let is_time = |name: &String| {
            is_one_of(name, DATES)
                || trees.iter().any(|tree| fills(tree, name).any(|filled| filled == Target::StartedAt))
        };
        let time = columns.names.iter().position(is_time);
        let columns = Self { time, ..columns };
        let known = |target: Target| {
            columns.names.iter().any(|name| trees.iter().any(|tree| fills(tree, name).any(|filled| filled == target)))
        };
        if columns.names.len() < LEAST {
            return (known(Target::StartedAt) && known(Target::Message)).then_some(columns);
        }
        let others = [Target::Level, Target::Message, Target::HttpStatus, Target::Url, Target::Service];
        let named = |names: &[&str]| columns.names.iter().any(|name| is_one_of(name, names));
        let timed = known(Target::StartedAt) || (named(DATES) && named(CLOCKS));
        (timed && others.into_iter().any(known)).then_some(columns)
    }

    /// The columns that a line names, whatever they are: names that one of the marks separates, as `is_name` says.
    fn named(line: &str, marks: &[u8], is_name: fn(&str) -> bool) -> Option<Self> {
        let separator = *marks.iter().max_by_key(|mark| line.bytes().filter(|b| b == *mark).count())?;
        let names = split(line, Separator::Char(separator));
        let columns = Self { names, separator: Separator::Char(separator), date: None, time: None };
        (columns.names.len() >= LEAST - 1 && columns.names.iter().all(|name| is_name(name))).then_some(columns)
    }

    /// The rows of a table as objects, by the names in its first line; `None` where the lines are none.
    pub(crate) fn rows_of(lines: &[&str]) -> Option<Vec<Map<String, Value>>> {
        let (header, rows) = lines.split_first()?;
        let columns = Self::named(header.trim_start_matches('\u{feff}'), b",;\t", is_plain_name)?;
        let wide = |line: &&&str| split(line, columns.separator).len() == columns.names.len();
        let first = rows.first().filter(|line| wide(line))?;
        if columns.names.len() < LEAST || !first.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        let object = |line: &&str| {
            let fields = columns.fields(line).into_iter().filter(|(_, value)| !value.is_empty());
            fields.map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
        };
        Some(rows.iter().filter(wide).map(object).collect())
    }

    /// Whether a line begins a row, and leaves it open. A line that is a whole row by itself begins one in any case, and so does
    /// one that opens quotation marks and closes none, so that reading may begin anywhere.
    pub(crate) fn row(&self, line: &[u8], in_quotes: bool) -> Row {
        let Separator::Char(separator) = self.separator else { return Row { begins: true, open: false } };
        let odd = memchr::memchr_iter(b'"', line).count() % 2 == 1;
        let apart = || if odd { !closes(line, separator) } else { self.is_whole(line) };
        let begins = !in_quotes || apart();
        Row { begins, open: odd == begins }
    }

    /// Whether a line has all columns, and a time where they have one: a cell of several lines may have as many commas. Several
    /// columns may have names of times.
    fn is_whole(&self, line: &[u8]) -> bool {
        let cells = split(&crate::decoding::text(line), self.separator);
        let timed = self.time.is_none() || cells.iter().any(|cell| is_time(cell));
        cells.len() > 1 && cells.len() >= self.names.len() && timed
    }

    /// Whether a line is no record: a directive or a comment.
    pub(crate) fn is_directive(line: &str) -> bool {
        line.starts_with('#')
    }

    /// The date in a directive: `#Date: 2024-05-06 07:08:00`.
    pub(crate) fn date_of(line: &str) -> Option<String> {
        let value = ["#Date:", "#Start-Date:"].iter().find_map(|name| line.strip_prefix(name))?;
        value.split_whitespace().next().map(str::to_owned)
    }

    /// The same columns, on a date.
    pub(crate) fn on(self, date: Option<String>) -> Self {
        Self { date: date.or(self.date), ..self }
    }

    /// The date that a directive gave.
    pub(crate) fn date(&self) -> Option<&String> {
        self.date.as_ref()
    }

    /// The fields of a line, each with its column.
    fn fields<'c>(&'c self, line: &str) -> Vec<(&'c str, String)> {
        let separator = match self.separator {
            Separator::Space if line.contains('\t') => Separator::Char(b'\t'),
            other => other,
        };
        // What stands behind the columns that have a name is the message: Windows' Event Viewer does not name it.
        let rest = matches!(self.separator, Separator::Char(_))
            && !self.names.iter().any(|name| name.eq_ignore_ascii_case("message"));
        let unnamed = rest.then_some("message");
        self.names.iter().map(String::as_str).chain(unnamed).zip(split(line, separator)).collect()
    }
}

/// Whether a line that began inside quotation marks closes them: its first mark that is not written twice ends a cell.
fn closes(line: &[u8], separator: u8) -> bool {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'"', &line[at..]) {
        let next = line.get(at + found + 1);
        if next != Some(&b'"') {
            return next.is_none_or(|byte| *byte == separator || byte.is_ascii_whitespace());
        }
        at += found + 2;
    }
    true
}

/// Whether a cell is a time, or a date whose time of day stands in another column.
fn is_time(cell: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
    let parts = || cell.split(['-', '/', '.']);
    spelled_time(cell).is_some() || (parts().count() == 3 && parts().all(digits))
}

/// Names of columns with the date, and of those with the time of day, where they are apart, in small letters.
const DATES: &[&str] = &["date", "date-local", "datum", "fecha", "data", "日付", "日期"];
const CLOCKS: &[&str] = &["time", "time-local", "uhrzeit", "zeit", "heure", "hora", "ora", "tijd", "時刻", "时间"];

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a text may be the name of a column, where nothing else says that it is one.
fn is_plain_name(name: &str) -> bool {
    is_any_name(name)
        && name.starts_with(|c: char| c.is_ascii() || c == '@')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '@' | '(' | ')' | '/' | ':'))
}

/// Whether a text may be the name of a column beside others that are known.
fn is_any_name(name: &str) -> bool {
    name.len() < 64
        && name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@'))
        && !name.contains(char::is_control)
}

fn split(line: &str, separator: Separator) -> Vec<String> {
    let mark = match separator {
        Separator::Space => b' ',
        Separator::Char(mark) => mark,
    };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).delimiter(mark).flexible(true).from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => {
            let filled = record.iter().filter(|field| separator != Separator::Space || !field.is_empty());
            filled.map(|field| field.trim().to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// What a column of a name is, as it is written or in small letters with `_`.
fn node_of<'t>(tree: &'t Node, name: &str) -> Option<&'t Node> {
    // Azure writes the zone behind the name: `TimeGenerated [UTC]`.
    let name = name.split_once(" [").filter(|(_, zone)| zone.ends_with(']')).map_or(name, |(name, _)| name);
    let folded = || name.to_ascii_lowercase().replace([' ', '-'], "_");
    // In JSON, a name may only lead to deeper fields; a column has none.
    let fills = |node: &&Node| !node.targets.is_empty();
    tree.child(name.as_bytes()).filter(fills).or_else(|| tree.child(folded().as_bytes()).filter(fills))
}

/// What a column of a name fills.
pub(crate) fn fills<'t>(tree: &'t Node, name: &str) -> impl Iterator<Item = Target> + use<'t> {
    node_of(tree, name).into_iter().flat_map(|node| node.targets.iter().map(|(target, _)| *target))
}

impl Formats {
    /// The names of columns.
    fn of_tables(&self) -> &Dialect {
        self.dialects.iter().find(|dialect| dialect.base.name == "w3c").unwrap_or(&self.dialects[self.plain])
    }

    /// The record in a line of a table, by the schema that somebody chose or the usual names of columns.
    pub(crate) fn row(&self, columns: &Columns, chosen: Option<&Dialect>, line: &str, at: &Surrounding<'_>) -> Found {
        let dialect = chosen.unwrap_or_else(|| self.of_tables());
        let fields = columns.fields(line);
        let mut record = Map::new();
        for (name, value) in &fields {
            if !matches!(value.as_str(), "" | "-" | "(empty)") {
                record.insert((*name).to_owned(), Value::String(value.clone()));
            }
        }
        let schema = dialect.schema();
        let mut assembler = Assembler::default();
        for (name, value) in &record {
            let node = node_of(schema.tree(), name);
            for target in node.iter().flat_map(|node| &node.targets) {
                assembler.set(*target, Scalar::Text(value.as_str().unwrap_or_default().into()));
            }
        }
        let text_of = |names: &[&str]| {
            let found =
                fields.iter().find(|(name, value)| is_one_of(name, names) && !matches!(value.as_str(), "" | "-"));
            found.map(|(_, value)| value.as_str())
        };
        let date = text_of(DATES).or(columns.date.as_deref());
        // Application Insights has a scale of its own.
        let number = text_of(&["severitylevel"]).and_then(|number| number.parse::<usize>().ok());
        if let Some(level) = number.and_then(|number| ["debug", "info", "warn", "error", "fatal"].get(number)) {
            assembler.replace(Target::Level, Scalar::Text((*level).into()));
        }
        // Datadog and others name the level so.
        if assembler.raw(Target::Level).is_none()
            && let Some(word) = text_of(&["status"]).filter(|word| Level::parse_any(word).is_some())
            && word.bytes().all(|b| b.is_ascii_alphabetic())
        {
            assembler.set((Target::Level, 0), Scalar::Text(word.to_owned().into()));
        }
        if let (Some(date), Some(time)) = (date, text_of(CLOCKS))
            && let Some(spelled) = spelled_time(&format!("{date} {time}"))
        {
            let at = Surrounding { around: Surroundings { zone: None, ..at.around }, ..at.clone() };
            assembler.replace(Target::StartedAt, Scalar::Time(at.moment(spelled)));
        } else {
            at.place_time(&mut assembler, || None);
        }
        let names_service = names_service(&assembler);
        let said = [Target::Level, Target::Method, Target::Url, Target::HttpStatus, Target::Error];
        let message = assembler.raw(Target::Message).map(std::borrow::Cow::into_owned);
        let only = said.iter().all(|target| assembler.raw(*target).is_none());
        let text = Value::Object(record.clone()).to_string();
        keep_payload(schema, &text, at);
        let mut activity = assembler.finish(schema, at.id.clone(), at.carry);
        if activity.message.is_none() && activity.url.is_none() {
            activity.message = Some(line.trim().into());
        }
        activity.places = vec![at.place.clone()];
        let mut outer = Found { activity, form: Form::Table, names_service, scope: None, line: None, length: None };
        let Some(text) = message else { return outer };
        // A cell of several lines may hold a stack.
        let (_, rest) = first_line(&text);
        if !rest.is_empty() && outer.activity.error.is_none() {
            outer.blame_lines(&text);
            if outer.activity.error.is_some() {
                at.keep_stack(rest);
            }
        }
        if !only {
            return outer;
        }
        // Exports have what a program wrote in one column (CloudWatch's `@message`).
        let mut inner = self.record(&text, at, 1);
        if matches!(inner.form, Form::Plain | Form::Empty | Form::Broken) {
            return outer;
        }
        inner.form = Form::Table;
        inner.within(outer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::nowhere;
    use crosstail_core::model::{DayOrder, Timestamp};

    fn columns(header: &str) -> Columns {
        Columns::of_header(header, &Formats::built_in().expect("formats"), None).expect("a header")
    }

    #[test]
    fn a_row_goes_on_while_quotation_marks_are_open() {
        let table = columns("timestamp,level,message");
        let mut in_quotes = false;
        let mut begins = |line: &str| {
            let row = table.row(line.as_bytes(), in_quotes);
            in_quotes = row.open;
            row.begins
        };
        for (line, expected) in [
            ("2024-05-06T07:08:00Z,ERROR,\"charge failed", true),
            ("second \"\"line\"\"", false),
            ("", false),
            ("last line\"", false),
            ("2024-05-06T07:08:01Z,INFO,done", true),
            ("2024-05-06T07:08:02Z,INFO,\"never closed", true),
            ("2024-05-06T07:08:03Z,INFO,whole by itself", true),
            ("2024-05-06T07:08:04Z,INFO,done", true),
        ] {
            assert_eq!(begins(line), expected, "{line}");
        }
    }

    #[test]
    fn a_cell_of_several_lines_has_commas_and_marks() {
        let table = columns("\"Date\",\"Host\",\"Service\",\"Content\"");
        let lines = [
            ("\"2024-05-06T07:08:00Z\",\"web-1\",\"shop\",\"java.lang.RuntimeException: no, and no", true),
            ("\tat a.B.c(B.java:1), x, y, z", false),
            ("2024-05-06 said \"\"no\"\", twice, and, again", false),
            ("\tat a.B.d(B.java:2)\"", false),
            ("\"2024-05-06T07:08:01Z\",\"web-1\",\"shop\",\"begins, again\"", true),
            ("\"2024-05-06T07:08:02Z\",\"web-1\",\"shop\",\"\"\"no\"\"", true),
            ("\"", false),
        ];
        // Reading may begin in the middle of a cell: the next row is told all the same.
        for from in 0..lines.len() {
            let mut in_quotes = false;
            let found = lines[from..].iter().map(|(line, _)| {
                let row = table.row(line.as_bytes(), in_quotes);
                in_quotes = row.open;
                row.begins
            });
            let found: Vec<bool> = found.collect();
            let next = lines[from..].iter().position(|(_, begins)| *begins).unwrap_or(found.len());
            let expected: Vec<bool> = lines[from..].iter().map(|(_, begins)| *begins).collect();
            assert_eq!(found[next..], expected[next..], "from {from}");
        }
        let formats = Formats::built_in().expect("formats");
        let text: Vec<&str> = lines[..4].iter().map(|(line, _)| *line).collect();
        let found = formats.row(&table, None, &text.join("\n"), &nowhere()).activity;
        assert_eq!(found.error_type.as_deref(), Some("java.lang.RuntimeException"));
        assert_eq!(found.error.as_deref(), Some("no, and no"));
    }

    #[test]
    fn a_row_begins_with_a_time_in_whichever_column() {
        let table = columns("level,request_time,message,timestamp");
        let begins = |line: &str| table.row(line.as_bytes(), true).begins;
        assert!(begins("INFO,0.124,two,2024-05-06T07:08:01Z") && !begins("a, b, c, d"));
    }

    #[test]
    fn times_and_levels_stand_in_columns_of_many_names() {
        let formats = Formats::built_in().expect("formats");
        for (header, row, level) in [
            ("\"TimeGenerated [UTC]\",SeverityLevel,Message", "\"5/6/2024, 7:08:00 AM\",3,no route", Level::Error),
            ("Datum;Uhrzeit;Stufe;Meldung", "06.05.2024;07:08:00;Fehler;no route", Level::Error),
            ("Niveau,Date et heure,Source,Message", "Erreur,06/05/2024 07:08:00,Shop,no route", Level::Error),
            ("Date,Host,Service,Status,Message", "2024-05-06T07:08:00Z,web-1,shop,warn,no route", Level::Warn),
            ("timestamp|severity|text", "2024-05-06 07:08:00|INFO|no route", Level::Info),
        ] {
            let around = Surroundings { order: Some(DayOrder::DayFirst), ..Surroundings::before(Timestamp(0)) };
            let order = if header.starts_with('"') { None } else { around.order };
            let at = Surrounding { around: Surroundings { order, ..around }, ..nowhere() };
            let found = formats.row(&columns(header), None, row, &at).activity;
            let time = found.started_at.rfc3339();
            assert_eq!((time.get(..19), found.level), (Some("2024-05-06T07:08:00"), Some(level)), "{header}");
            assert_eq!(found.message.as_deref(), Some("no route"), "{header}");
        }
    }

    #[test]
    fn headers_with_marks_of_their_own() {
        let viewer = columns("Level,Date and Time,Source,Event ID,Task Category");
        let fields = viewer.fields("Error,5/6/2024 7:08:00 AM,Shop,1000,None,\"no, route\"");
        assert_eq!(fields.last(), Some(&("message", "no, route".to_owned())));
        let tracking = columns("#Fields: date-time,client-ip,event-id,message-subject");
        let fields = tracking.fields("2024-05-06T07:08:00Z,,RECEIVE,\"order 7, paid\"");
        assert_eq!(fields[..2], [("date-time", "2024-05-06T07:08:00Z".to_owned()), ("client-ip", String::new())]);
        assert_eq!(fields[3], ("message-subject", "order 7, paid".to_owned()));
        for header in [
            "Niveau,Date et heure,ID de l’événement",
            "Datum;Uhrzeit;Stufe;Meldung",
            "time|level|text",
            "TimeGenerated [UTC],Message",
        ] {
            columns(header);
        }
        let flows = columns("version account-id interface-id start end action log-status");
        assert_eq!(flows.fields("2 12 eni-1 1714979280 1714979340 ACCEPT OK")[5], ("action", "ACCEPT".to_owned()));
    }
}

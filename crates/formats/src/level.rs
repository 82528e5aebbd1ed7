//! Levels in the head of a line: words that capitals, brackets or marks set apart from the words of a sentence.

use crate::token::{TOKEN_BYTES, separators, token};
use crosstail_core::model::{Level, leading_time};

/// A level that is no word of a sentence.
pub(crate) struct Marked<'a> {
    pub(crate) level: Level,
    /// What follows it.
    pub(crate) rest: &'a str,
    /// Whether brackets or a mark set it apart, so that no capitals are needed.
    pub(crate) set_apart: bool,
}

/// The level at the beginning.
pub(crate) fn level_at(text: &str) -> Option<Marked<'_>> {
    match text.as_bytes().first()? {
        b'[' | b'(' | b'<' | b'{' => level_in_brackets(text),
        // Azure's and GitHub's marks for the lines of a build.
        b'#' => level_in_brackets(text.strip_prefix("##").filter(|rest| rest.starts_with('['))?),
        b':' => {
            let inside = text.strip_prefix("::")?;
            let (word, rest) = inside.split_at(inside.bytes().take_while(u8::is_ascii_alphabetic).count());
            let (properties, rest) = rest.split_once("::").filter(|(properties, _)| properties.len() <= TOKEN_BYTES)?;
            let fits = properties.is_empty() || properties.starts_with(' ');
            let level = word_level(word).filter(|_| fits)?;
            Some(Marked { level, rest: separators(rest), set_apart: true })
        }
        mark @ (b'*' | b'=' | b'-' | b'"' | b'\'') => {
            let mark = char::from(*mark);
            let inside = text.trim_start_matches(mark);
            let (word, rest) = inside.split_at(inside.bytes().take_while(u8::is_ascii_uppercase).count());
            let level = word_level(word).filter(|_| rest.starts_with(mark))?;
            Some(Marked { level, rest: separators(rest.trim_start_matches(mark)), set_apart: true })
        }
        _ => level_in_pair(text).or_else(|| level_of_word(text)),
    }
}

fn level_in_brackets(text: &str) -> Option<Marked<'_>> {
    let (group, after) = token(text)?;
    let inside = group[1..group.len() - 1].trim();
    let found = |level| Some(Marked { level, rest: separators(after), set_apart: true });
    if let Some((_, value)) = inside.split_once(['=', ':']).filter(|(key, _)| is_level_key(key)) {
        return found(known_level(value.trim_matches([' ', '"']))?);
    }
    // Minecraft's thread: `Server thread/WARN`.
    let behind_thread = inside.rsplit_once('/').filter(|(_, word)| word.bytes().all(|b| b.is_ascii_uppercase()));
    if let Some(level) = behind_thread.and_then(|(_, word)| word_level(word)) {
        return found(level);
    }
    // Apache's module, Twisted's class, Celery's process: `core:error`, `app.Pay#error`, `ERROR/MainProcess`.
    let word = inside.rsplit([':', '#']).next().unwrap_or(inside);
    // Craft's category: `web.ERROR`.
    let word =
        word.rsplit_once('.').filter(|(_, word)| word.len() > 2 && is_shouted(word)).map_or(word, |(_, word)| word);
    let end = word.find(['/', ' ', '|']).unwrap_or(word.len());
    let (word, behind) = word.split_at(end);
    let shouted = is_shouted(word);
    // `[info desk]` is no level; `[ERROR main]` and `[warn 12]` are.
    let sentence = behind.strip_prefix(' ').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    let number = word.bytes().all(|b| b.is_ascii_digit());
    // Apache numbers the finest ones: `trace8`.
    let finest = ["trace", "debug"].iter().find(|known| {
        let digits = word.get(known.len()..).filter(|_| word.starts_with(**known));
        digits.is_some_and(|digits| digits.len() == 1 && digits.bytes().all(|b| b.is_ascii_digit()))
    });
    let word = finest.copied().unwrap_or(word);
    found(known_level(word).filter(|_| !number && (shouted || (word.len() > 1 && !sentence)))?)
}

/// Names of fields whose value is the level.
fn is_level_key(key: &str) -> bool {
    ["level", "lvl", "severity", "loglevel", "log_level"].iter().any(|known| known.eq_ignore_ascii_case(key.trim()))
}

/// `level=error`, `severity="WARN"`, `Level: error`.
fn level_in_pair(text: &str) -> Option<Marked<'_>> {
    let (key, value) = text.split_at(text.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'_').count());
    let value = value.strip_prefix('=').or_else(|| value.strip_prefix(": ")).filter(|_| is_level_key(key))?;
    let value = value.strip_prefix('"').unwrap_or(value);
    let (word, rest) = value.split_at(value.bytes().take_while(u8::is_ascii_alphabetic).count());
    let rest = rest.strip_prefix('"').unwrap_or(rest);
    let ends = rest.is_empty() || rest.starts_with([' ', ',', ';', '\t']);
    Some(Marked { level: known_level(word).filter(|_| ends)?, rest: separators(rest), set_apart: true })
}

/// Whether no letter of a word is small.
fn is_shouted(word: &str) -> bool {
    if word.is_ascii() { word.bytes().all(|b| b.is_ascii_uppercase()) } else { !word.chars().any(char::is_lowercase) }
}

fn level_of_word<'a>(text: &'a str) -> Option<Marked<'a>> {
    let mut length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    if text.as_bytes().get(length).is_some_and(|b| *b >= 0x80) {
        length = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    }
    let (word, rest) = text.split_at(length);
    let level = word_level(word)?;
    let shouted = is_shouted(word);
    // PostgreSQL and others number their levels: `DEBUG2`.
    let digits = if shouted { rest.bytes().take_while(u8::is_ascii_digit).count() } else { 0 };
    let rest = &rest[digits.min(1)..];
    // What is attached in brackets: `ERRO[0012] …`, `ERROR(main) …`, `error[E0308]: …`, `ERROR[1234][C-0012]: …`.
    let group = |text: &'a str| token(text).filter(|_| text.starts_with(['[', '(']));
    let behind = std::iter::successors(Some(rest), |text| group(text).map(|(_, after)| after)).last().unwrap_or(rest);
    let (rest, grouped) = match group(rest) {
        // logrus puts the time there.
        Some((group, _)) if leading_time(&group[1..]).is_some_and(|(time, _)| !time.is_epoch()) => (rest, true),
        Some(_) if behind.starts_with(':') || (shouted && behind.starts_with(' ')) => (behind, true),
        _ => (rest, false),
    };
    let colon = rest.starts_with(':');
    let comma = rest.strip_prefix(',').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    let set_apart = colon
        || comma
        || grouped
        || rest.starts_with(['|', ']', '\t', ')', '>', ';'])
        || rest.starts_with("  ")
        || rest.starts_with(" |")
        || rest.starts_with(" - ");
    let ends = rest.is_empty() || rest.starts_with([' ', ',', '/', '\u{b7}']) || set_apart;
    // `info vpxd[45715] …`, `warn [pay] …`: what follows is a head too.
    let next = rest.trim_start_matches(' ').split([' ', '\t']).next().unwrap_or_default();
    let followed = next.starts_with(['[', '(']) || (next.ends_with(']') && next.contains('['));
    if !(ends && (shouted || set_apart || followed)) {
        return None;
    }
    let rest = match rest.strip_prefix('/') {
        Some(process) => process.find([' ', ']']).map_or("", |end| &process[end..]),
        None => rest,
    };
    let rest = rest.strip_prefix([':', ';']).unwrap_or(rest);
    Some(Marked { level, rest: separators(rest), set_apart })
}

/// The level of a word.
pub(crate) fn word_level(word: &str) -> Option<Level> {
    if !(3..=13).contains(&word.len()) && word.is_ascii() {
        return None;
    }
    let level = known_level(word)?;
    let shouted = is_shouted(word);
    (shouted || !USED.iter().any(|other| other.eq_ignore_ascii_case(word))).then_some(level)
}

/// Levels in the languages that servers and the runtimes of Java speak, and those that loggers cut, in small letters.
const TRANSLATED: &[(&str, Level)] = &[
    ("erreur", Level::Error),
    ("grave", Level::Error),
    ("infos", Level::Info),
    ("critique", Level::Fatal),
    ("informacion", Level::Info),
    ("información", Level::Info),
    ("advertencia", Level::Warn),
    ("advertência", Level::Warn),
    ("crítico", Level::Fatal),
    ("informação", Level::Info),
    ("informações", Level::Info),
    ("erro", Level::Error),
    ("aviso", Level::Warn),
    ("errore", Level::Error),
    ("avviso", Level::Warn),
    ("avvertenza", Level::Warn),
    ("avvertimento", Level::Warn),
    ("informazioni", Level::Info),
    ("fout", Level::Error),
    ("waarschuwing", Level::Warn),
    ("informatie", Level::Info),
    ("kritiek", Level::Fatal),
    ("kritisch", Level::Fatal),
    ("hinweis", Level::Info),
    ("varning", Level::Warn),
    ("advarsel", Level::Warn),
    ("błąd", Level::Error),
    ("ostrzeżenie", Level::Warn),
    ("ошибка", Level::Error),
    ("предупреждение", Level::Warn),
    ("сообщение", Level::Info),
    ("сведения", Level::Info),
    ("信息", Level::Info),
    ("警告", Level::Warn),
    ("严重", Level::Error),
    ("错误", Level::Error),
    ("致命错误", Level::Fatal),
    ("调试", Level::Debug),
    ("日志", Level::Info),
    ("資訊", Level::Info),
    ("嚴重", Level::Error),
    ("錯誤", Level::Error),
    ("情報", Level::Info),
    ("重大", Level::Error),
    ("エラー", Level::Error),
    ("정보", Level::Info),
    ("경고", Level::Warn),
    ("심각", Level::Error),
    ("오류", Level::Error),
    // OrientDB has five letters.
    ("sever", Level::Error),
    ("warni", Level::Warn),
];

/// The level that a word names in any language.
pub(crate) fn known_level(word: &str) -> Option<Level> {
    Level::parse_any(word).or_else(|| {
        let small = |word: &str| word.as_bytes().first().map(u8::to_ascii_lowercase);
        let first = small(word)?;
        let is = |known: &str| {
            if word.is_ascii() {
                known.as_bytes()[0] == first && known.eq_ignore_ascii_case(word)
            } else {
                known.chars().eq(word.chars().flat_map(char::to_lowercase))
            }
        };
        TRANSLATED.iter().find(|(known, _)| is(known)).map(|(_, level)| *level)
    })
}

/// Levels that texts use for other things too: they count in capitals only, and at the beginning of a line only where
/// they are marked.
const USED: &[&str] = &["http", "all", "config", "log", "note", "success", "fail", "alert"];

pub(crate) fn is_used_word(text: &str) -> bool {
    let word = &text[..text.bytes().take_while(u8::is_ascii_alphabetic).count()];
    // Nobody writes `ALERT` for anything else.
    USED.iter().any(|used| used.eq_ignore_ascii_case(word)) && word != "ALERT"
}

//! Parses the text of a filter into a tree. An error has a place and a remedy.
//!
//! The parser is written by hand: the filter bar needs byte spans for carets, suggestions for names, and words that are
//! fields in one place and text in another, all of which a combinator library leaves to the caller.

use super::ast::{Atom, Expr, Op, Operand, PathRoot, PathStep, Scalar, ScalarForm, Value};
use super::fields::{Field, ROOTS, ValueType, suggest};
use std::ops::Range;

/// The reason why a filter does not parse, and the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", span.start + 1)]
pub struct ParseError {
    /// Byte range of the wrong text.
    pub span: Range<usize>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl ParseError {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }

    /// The filter with a line of carets below the wrong text, for a terminal without colours.
    pub fn with_carets(&self, text: &str) -> String {
        use unicode_width::UnicodeWidthStr as _;
        let start = self.span.start.min(text.len());
        let end = self.span.end.clamp(start, text.len());
        let before = text.get(..start).map_or(0, |t| crate::model::visible_line(t).width());
        let under = text.get(start..end).map_or(1, |t| crate::model::visible_line(t).width()).max(1);
        format!("{}\n{}{} {}", crate::model::visible_line(text), " ".repeat(before), "^".repeat(under), self.message)
    }
}

/// Deeper nesting is an error, so that no input can exhaust the stack.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    parser.space();
    if parser.at == text.len() {
        return Ok(Expr::All);
    }
    let expr = parser.or()?;
    parser.space();
    if parser.at < text.len() {
        return Err(ParseError::new(parser.at..parser.at + 1, "a ')' without its '('"));
    }
    Ok(expr)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Consumes a word such as OR, in any case, if white space, a parenthesis or the end follows it.
    fn keyword(&mut self, word: &str, symbol: &str) -> bool {
        if self.eat(symbol) {
            return true;
        }
        let found = self.rest().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && self.rest()[word.len()..].chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '(' | ')'));
        if found {
            self.at += word.len();
        }
        found
    }

    /// The operator between two conditions at the cursor, if there is one.
    fn joint(&self) -> Option<&'a str> {
        let mut ahead = Parser { text: self.text, at: self.at, depth: 0 };
        (ahead.keyword("OR", "||") || ahead.keyword("AND", "&&")).then(|| &self.text[self.at..ahead.at])
    }

    fn or(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.and()?];
        loop {
            self.space();
            if !self.keyword("OR", "||") {
                break;
            }
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Or(parts) })
    }

    fn and(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.not()?];
        loop {
            self.space();
            let explicit = self.keyword("AND", "&&");
            self.space();
            let rest = self.rest();
            let ends = rest.is_empty() || rest.starts_with(')') || self.joint().is_some();
            if ends && !explicit {
                break;
            }
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::And(parts) })
    }

    fn not(&mut self) -> Result<Expr, ParseError> {
        self.space();
        let start = self.at;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ParseError::new(start..self.text.len(), "nested too deeply"));
        }
        let negated = self.keyword("NOT", "!")
            || (self.rest().starts_with('-')
                && self.rest()[1..].chars().next().is_some_and(|c| !c.is_whitespace())
                && self.eat("-"));
        let sign = &self.text[start..self.at];
        let expr = if negated { Expr::Not(Box::new(self.not()?)) } else { self.atom()? };
        // `not found` is more often a text than its opposite.
        if let Expr::Not(part) = &expr
            && let Expr::Text(text) = part.as_ref()
            && sign.eq_ignore_ascii_case("not")
            && sign != "NOT"
        {
            let text = &text.text;
            let message = format!("write NOT {text} to leave out what contains it, or \"{sign} {text}\" to find it");
            return Err(ParseError::new(start..self.at, message));
        }
        self.depth -= 1;
        Ok(expr)
    }

    fn atom(&mut self) -> Result<Expr, ParseError> {
        self.space();
        let start = self.at;
        match self.peek() {
            None => return Err(ParseError::new(start..start, "something is missing here")),
            Some('(') => {
                self.at += 1;
                let inner = self.or()?;
                self.space();
                if !self.eat(")") {
                    return Err(ParseError::new(start..start + 1, "this '(' is not closed"));
                }
                return Ok(inner);
            }
            Some(')') => return Err(ParseError::new(start..start + 1, "something is missing before ')'")),
            Some('"' | '\'' | '/') => return Ok(Expr::Text(self.scalar(false, true)?)),
            _ => {}
        }
        if let Some(joint) = self.joint() {
            let message = format!("a condition is missing before '{joint}'; in quotes it is text");
            return Err(ParseError::new(start..start + joint.len(), message));
        }
        if let Some(atom) = self.comparison()? {
            return Ok(Expr::Atom(atom));
        }
        let rest = self.rest();
        let length = rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')')).unwrap_or(rest.len());
        if length == 0 {
            return Err(ParseError::new(start..start + 1, "unexpected"));
        }
        self.at += length;
        if let Some(message) = misread(&rest[..length]) {
            return Err(ParseError::new(start..self.at, message));
        }
        Ok(Expr::Text(Scalar { text: rest[..length].to_owned(), form: ScalarForm::Bare, span: start..self.at }))
    }

    /// Parses `path ["?"] op value`; `None` where the text at the cursor does not have this form.
    fn comparison(&mut self) -> Result<Option<Atom>, ParseError> {
        let start = self.at;
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '@') {
            return Ok(None);
        }
        let mut depth = 0usize;
        let length = rest
            .find(|c: char| match c {
                '[' => {
                    depth += 1;
                    false
                }
                ']' => {
                    depth = depth.saturating_sub(1);
                    false
                }
                '*' => depth == 0,
                _ => !(c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-')),
            })
            .unwrap_or(rest.len());
        let name = &rest[..length];
        let mut after = &rest[length..];
        let or_absent = after.starts_with('?');
        if or_absent {
            after = &after[1..];
        }
        if let Some(sign) = ["!:", "<>"].into_iter().find(|sign| after.starts_with(sign)) {
            let span = start..self.text.len() - after.len() + sign.len();
            return Err(ParseError::new(span, format!("'{sign}' is no operator; write -{name}:… or {name}!=…")));
        }
        let tight = operator(after);
        let found = match tight {
            Some(_) if after.starts_with("://") => None,
            Some(found) => Some((found, after)),
            None if target(name).is_some() => {
                let spaced = after.trim_start();
                operator(spaced).filter(|(op, _)| *op != Op::Has).map(|found| (found, spaced))
            }
            None => None,
        };
        let Some(((op, spelling), at_op)) = found else { return Ok(None) };
        let Some(target) = target(name) else {
            let known = Field::ALL.iter().flat_map(|f| std::iter::once(f.name()).chain(f.aliases().iter().copied()));
            // `body` is ambiguous; `req.body` is the more frequent one.
            let known_end = ROOTS.iter().find(|(root, _)| root.split_once('.').is_some_and(|(_, end)| end == name));
            let near = known_end
                .map(|(root, _)| *root)
                .or_else(|| suggest(name, known.chain(ROOTS.iter().map(|(root, _)| *root))));
            let hint = match near {
                Some(near) => format!("no field '{name}'; did you mean '{near}'?"),
                None => format!("no field '{name}'; a field of the payload is 'meta.{name}', text is quoted"),
            };
            return Err(ParseError::new(start..start + length, hint));
        };
        self.at = self.text.len() - at_op.len() + spelling.len();
        // `latency:>1s`, as Lucene writes it.
        let (op, spelling) = match operator(self.rest()) {
            Some((second, spelling)) if op == Op::Has && second.is_ordering() => {
                self.at += spelling.len();
                (second, spelling)
            }
            Some((_, second)) => {
                let known = Op::ALL.iter().map(|(_, spelling)| *spelling).collect::<Vec<_>>().join(" ");
                let span = self.at - spelling.len()..self.at + second.len();
                return Err(ParseError::new(span, format!("'{spelling}{second}' is no operator; they are {known}")));
            }
            None => (op, spelling),
        };
        let value_start = self.at;
        self.space();
        if self.rest().is_empty() || self.rest().starts_with(')') {
            return Err(ParseError::new(value_start..value_start, format!("a value is missing after '{spelling}'")));
        }
        if self.rest().starts_with('!') {
            let message = format!("write -{name}{spelling}… for the opposite; a value that starts with '!' is quoted");
            return Err(ParseError::new(self.at..self.at + 1, message));
        }
        let value = self.value(&target, op)?;
        Ok(Some(Atom { target, or_absent, op, value, span: start..self.at }))
    }

    fn value(&mut self, target: &Operand, op: Op) -> Result<Value, ParseError> {
        let start = self.at;
        if !self.eat("(") {
            return self.part(target, op, false);
        }
        let mut list = Vec::new();
        loop {
            self.space();
            if self.eat(")") {
                if list.is_empty() {
                    return Err(ParseError::new(start..self.at, "the list is empty; write (SAP, Zoho)"));
                }
                return Ok(Value::List(list));
            }
            if self.rest().is_empty() {
                return Err(ParseError::new(start..start + 1, "this '(' is not closed"));
            }
            list.push(self.part(target, op, true)?);
            self.space();
            let at = self.at;
            if self.keyword("AND", "&&") {
                let message = "a list holds any of its values; for all of them, write the field with each";
                return Err(ParseError::new(at..self.at, message));
            }
            let _ = self.eat(",") || self.keyword("OR", "||");
        }
    }

    /// One scalar or range: a value, or one of a list.
    fn part(&mut self, target: &Operand, op: Op, in_list: bool) -> Result<Value, ParseError> {
        let ranged = matches!(op, Op::Has | Op::Equal | Op::NotEqual)
            && match target {
                Operand::Field(field) => {
                    matches!(field.class(), ValueType::Number | ValueType::Duration | ValueType::Time)
                        || *field == Field::Level
                }
                Operand::Path(..) => true,
            };
        if ranged && self.eat("..") {
            return Ok(Value::Range(None, Some(self.scalar(in_list, false)?)));
        }
        let is_pattern = matches!(op, Op::Matches | Op::NotMatches);
        let mut low = self.scalar(in_list, is_pattern)?;
        if low.form == ScalarForm::Bare && low.text == "*" && !in_list {
            return Ok(Value::Any);
        }
        if low.form == ScalarForm::Bare && low.text.contains('|') && !is_pattern {
            let message = "'|' is text here; write (a, b) for any of several values, ~/a|b/ for a pattern, or quote it";
            return Err(ParseError::new(low.span, message));
        }
        if ranged
            && low.form == ScalarForm::Bare
            && let Some((from, to)) = low.text.clone().split_once("..")
        {
            let middle = low.span.start + from.len();
            let high = if to.is_empty() && !self.rest().starts_with(['"', '\'']) {
                None
            } else if to.is_empty() {
                Some(self.scalar(in_list, false)?)
            } else {
                Some(Scalar { text: to.to_owned(), form: ScalarForm::Bare, span: middle + 2..low.span.end })
            };
            low.span.end = middle;
            from.clone_into(&mut low.text);
            return Ok(Value::Range(Some(low), high));
        }
        if ranged && low.form == ScalarForm::Quoted && self.eat("..") {
            let open = self.peek().is_none_or(|c| c.is_whitespace() || matches!(c, ')' | ','));
            let high = if open { None } else { Some(self.scalar(in_list, false)?) };
            return Ok(Value::Range(Some(low), high));
        }
        Ok(Value::One(low))
    }

    /// Parses one scalar. `spaces`: a regex may contain white space.
    fn scalar(&mut self, in_list: bool, spaces: bool) -> Result<Scalar, ParseError> {
        let start = self.at;
        match self.peek() {
            Some(quote @ ('"' | '\'')) => {
                let mut text = String::new();
                let mut escaped = false;
                for (offset, c) in self.rest().char_indices().skip(1) {
                    if escaped {
                        // A backslash protects the quotation mark and itself; before anything else it is text, as in a path
                        // or a pattern.
                        if c != quote && c != '\\' {
                            text.push('\\');
                        }
                        text.push(c);
                        escaped = false;
                    } else if c == '\\' {
                        escaped = true;
                    } else if c == quote {
                        self.at = start + offset + 1;
                        return Ok(Scalar { text, form: ScalarForm::Quoted, span: start..self.at });
                    } else {
                        text.push(c);
                    }
                }
                Err(ParseError::new(start..self.text.len(), "this quotation is not closed"))
            }
            Some('/') if self.closing_slash(spaces).is_some() => {
                let end = self.closing_slash(spaces).unwrap_or(start);
                let text = self.text[start + 1..end].replace("\\/", "/");
                self.at = end + 1;
                let insensitive = self.eat("i");
                let text = if insensitive { format!("(?i){text}") } else { text };
                Ok(Scalar { text, form: ScalarForm::Regex, span: start..self.at })
            }
            _ => {
                let rest = self.rest();
                let length = rest
                    .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')') || (in_list && c == ','))
                    .unwrap_or(rest.len());
                if length == 0 {
                    return Err(ParseError::new(start..(start + 1).min(self.text.len()), "a value is missing here"));
                }
                self.at += length;
                Ok(Scalar { text: rest[..length].to_owned(), form: ScalarForm::Bare, span: start..self.at })
            }
        }
    }

    /// The slash that closes a regex which starts at the cursor: the first one that is not escaped, at the end of a
    /// word. A value after `:` or `=` contains no white space: `/po/create` is a path, `/po|grn/` is a regex.
    fn closing_slash(&self, spaces: bool) -> Option<usize> {
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c.is_whitespace() && !spaces {
                return None;
            } else if c == '/' {
                let after = &self.rest()[offset + 1..];
                let after = after.strip_prefix('i').unwrap_or(after);
                let ends = after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || matches!(c, ')' | ','));
                return (ends && offset > 1).then_some(self.at + offset);
            }
        }
        None
    }
}

/// Why a word without a field is hardly the text that was meant; `None` for any other.
fn misread(word: &str) -> Option<String> {
    if word == "|" || word == "&" {
        return Some(format!("'{word}' is no operator; write OR or ||, AND or &&"));
    }
    if let Some((_, sign)) = operator(word) {
        return Some(format!("a field is missing before '{sign}'; in quotes it is text"));
    }
    word.contains('|').then(|| format!("'|' is text here; write a OR b, a pattern /{word}/, or quote it"))
}

fn operator(text: &str) -> Option<(Op, &'static str)> {
    if text.starts_with("==") {
        return Some((Op::Equal, "=="));
    }
    Op::ALL.iter().copied().find(|(_, spelling)| text.starts_with(spelling))
}

/// Whether a text begins as a comparison does: with a field that there is, and an operator.
pub fn begins_with_field(text: &str) -> bool {
    let length = text
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-' | '[' | ']' | '*')))
        .unwrap_or(text.len());
    let after = &text[length..];
    let after = after.strip_prefix('?').unwrap_or(after);
    target(&text[..length]).is_some() && (operator(after).is_some() || after.starts_with("!:"))
}

/// The field or payload path that a name stands for.
pub(super) fn target(name: &str) -> Option<Operand> {
    if let Some(field) = Field::parse(name) {
        return Some(Operand::Field(field));
    }
    let lower = name.to_ascii_lowercase();
    let (root, length) = [
        ("req.headers", PathRoot::RequestHeaders),
        ("req.header", PathRoot::RequestHeaders),
        ("req.body", PathRoot::RequestBody),
        ("res.headers", PathRoot::ResponseHeaders),
        ("res.header", PathRoot::ResponseHeaders),
        ("res.body", PathRoot::ResponseBody),
        ("meta", PathRoot::Metadata),
        ("stack", PathRoot::Stack),
        ("raw", PathRoot::Raw),
    ]
    .into_iter()
    .find_map(|(prefix, root)| {
        let rest = lower.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')).then_some((root, prefix.len()))
    })?;
    Some(Operand::Path(root, steps(&name[length..])?))
}

fn steps(mut path: &str) -> Option<Vec<PathStep>> {
    let mut steps = Vec::new();
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('[') {
            let (index, rest) = rest.split_once(']')?;
            steps.push(if index == "*" { PathStep::Each } else { PathStep::Index(index.parse().ok()?) });
            path = rest;
        } else {
            let rest = path.strip_prefix('.')?;
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            steps.push(PathStep::Name(rest[..end].to_owned()));
            path = &rest[end..];
        }
    }
    Some(steps)
}

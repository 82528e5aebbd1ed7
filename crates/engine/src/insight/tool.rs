//! Links and commands that a user has defined for activities: texts in which the fields of an activity stand in braces. A value
//! never becomes anything but a value: in an address it is percent-encoded, in a command it is a part of one argument.

use crosstail_core::filter::{Context, Filter, NamedRecord, Operand};
use crosstail_core::model::{Activity, Names, redact_text};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is not written as it is in an address: all but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text with fields in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Operand),
}

impl Template {
    /// Reads `text {field} text`; `{{` and `}}` stand for a brace.
    fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let Some((name, after)) = rest.split_once('}').filter(|_| brace == "{") else {
                return Err(format!("a '{brace}' stands alone; write {{{{ and }}}} for braces themselves"));
            };
            let of = Operand::parse(name).ok_or_else(|| {
                format!("{{{name}}} is no field; write one of filters, or a path such as {{req.body.order.id}}")
            })?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Value(of));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    fn operands(&self) -> impl Iterator<Item = &Operand> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value(of) => Some(of),
            Piece::Text(_) => None,
        })
    }

    /// Its text before the first value.
    fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }
}

/// What a tool does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Does {
    Open(Template),
    Run(Vec<Template>),
}

/// A link or a command.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    filter: Filter,
    does: Does,
}

/// A tool with the values of an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filled {
    /// The address to open.
    Url(String),
    /// The program and its arguments.
    Command(Vec<String>),
}

impl Tool {
    /// A link: an address of `http` or `https`.
    ///
    /// # Errors
    /// The filter or the address is wrong; for people.
    pub fn link(name: &str, filter: &str, url: &str) -> Result<Self, String> {
        let template = Template::parse(url)?;
        let beginning = template.beginning();
        let host = ["https://", "http://"].iter().find_map(|scheme| beginning.strip_prefix(scheme));
        if host.is_none() {
            return Err(format!("url '{url}' does not begin with https:// or http://"));
        }
        Ok(Self { name: name.to_owned(), filter: filter_of(filter)?, does: Does::Open(template) })
    }

    /// A command: a program and its arguments. No shell reads them.
    ///
    /// # Errors
    /// The filter or a word is wrong; for people.
    pub fn command(name: &str, filter: &str, run: &[String]) -> Result<Self, String> {
        let words = run.iter().map(|word| Template::parse(word)).collect::<Result<Vec<_>, _>>()?;
        match words.first() {
            None => return Err("run is empty; write [\"program\", \"argument {field}\"]".to_owned()),
            Some(program) if program.operands().next().is_some() => {
                return Err("the program of run has a field in it; only its arguments may".to_owned());
            }
            Some(_) => {}
        }
        Ok(Self { name: name.to_owned(), filter: filter_of(filter)?, does: Does::Run(words) })
    }

    /// Whether it runs a program.
    pub const fn is_command(&self) -> bool {
        matches!(self.does, Does::Run(_))
    }

    /// Whether it is for an activity.
    pub fn is_for(&self, activity: &Activity, names: &Names, context: &Context) -> bool {
        self.filter.predicate(context).keeps(&NamedRecord { activity, names, payload: None })
    }

    /// The paths of payloads that it needs.
    pub fn paths(&self) -> Vec<Operand> {
        let templates = match &self.does {
            Does::Open(url) => std::slice::from_ref(url),
            Does::Run(words) => words,
        };
        templates.iter().flat_map(Template::operands).filter(|of| of.is_of_payload()).cloned().collect()
    }

    /// The tool with values; `value` gives the first value that an activity has.
    ///
    /// # Errors
    /// A value is missing, a secret, or would be more than a value where it stands; for people.
    pub fn filled(&self, value: &dyn Fn(&Operand) -> Option<String>) -> Result<Filled, String> {
        let value = |of: &Operand| {
            let value = value(of).ok_or_else(|| format!("this activity has no {of}"))?;
            if value.contains(crosstail_core::model::REDACTED) || redact_text(&value) != value {
                return Err(format!("{of} is a secret here, and does not leave"));
            }
            Ok(value)
        };
        Ok(match &self.does {
            Does::Open(url) => Filled::Url(address(url, &value)?),
            Does::Run(words) => {
                Filled::Command(words.iter().map(|word| argument(word, &value)).collect::<Result<_, _>>()?)
            }
        })
    }
}

fn filter_of(text: &str) -> Result<Filter, String> {
    let filter = Filter::parse(text).map_err(|error| format!("filter:\n{}", error.with_carets(text)))?;
    let looks_inside = filter.expr().atoms().iter().any(|atom| matches!(atom.target, Operand::Path(..)));
    if looks_inside {
        return Err("filter: it cannot look into payloads, which are not loaded".to_owned());
    }
    Ok(filter)
}

/// An address with its values. In the name of the host a value is a part of a name, so that it leads nowhere else.
fn address(url: &Template, value: &impl Fn(&Operand) -> Result<String, String>) -> Result<String, String> {
    let mut text = String::new();
    for piece in &url.0 {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Value(of) => {
                let value = value(of)?;
                let is_in_host = text.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
                if is_in_host && !value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
                    return Err(format!("{of} is '{value}', which is no part of the name of a host"));
                }
                text.extend(utf8_percent_encode(&value, ENCODED));
            }
        }
    }
    Ok(text)
}

/// One argument with its values.
fn argument(word: &Template, value: &impl Fn(&Operand) -> Result<String, String>) -> Result<String, String> {
    let mut text = String::new();
    for piece in &word.0 {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Value(of) => {
                let value = value(of)?;
                if text.is_empty() && value.starts_with('-') {
                    return Err(format!("{of} begins with '-' and would be an option; write --option={{{of}}}"));
                }
                if value.contains('\0') {
                    return Err(format!("{of} has a NUL in it"));
                }
                text.push_str(&value);
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Timestamp};

    fn of(values: &'static [(&'static str, &'static str)]) -> impl Fn(&Operand) -> Option<String> {
        move |of| values.iter().find(|(name, _)| *name == of.to_string()).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn a_value_in_an_address_stays_a_value() {
        let link = Tool::link("trace", "", "https://t.example/{corr}?q={{{req.body.id}}}&x={system}").expect("a link");
        let values = of(&[("corr", "a/../b?x=1#y"), ("req.body.id", "ü&1"), ("system", "SAP PO")]);
        let filled = link.filled(&values).expect("all there");
        assert_eq!(
            filled,
            Filled::Url("https://t.example/a%2F..%2Fb%3Fx%3D1%23y?q={%C3%BC%261}&x=SAP%20PO".to_owned())
        );
        assert_eq!(link.paths(), [Operand::parse("req.body.id").expect("a path")]);
        assert_eq!(link.filled(&of(&[])), Err("this activity has no corr".to_owned()));
        let secret = of(&[("corr", "Bearer abcdefghijklmnopqrs7"), ("req.body.id", "1"), ("system", "s")]);
        assert!(link.filled(&secret).expect_err("a secret").contains("corr is a secret"));
        let host = Tool::link("admin", "", "https://{system}.partner.example/").expect("a link");
        assert_eq!(
            host.filled(&of(&[("system", "sap-1")])),
            Ok(Filled::Url("https://sap-1.partner.example/".to_owned()))
        );
        for evil in [of(&[("system", "evil.example/")]), of(&[("system", "a@evil.example:80#")])] {
            assert!(host.filled(&evil).expect_err("no host").contains("no part of the name"));
        }
        for wrong in ["javascript:{corr}", "{url}", "file:///etc/passwd", "https://x/{nothing}", "https://x/{corr"] {
            Tool::link("x", "", wrong).expect_err(wrong);
        }
        assert!(Tool::link("x", "meta.a:1", "https://x/").expect_err("a payload").contains("payloads"));
    }

    #[test]
    fn a_value_in_a_command_is_a_part_of_one_argument() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let command =
            Tool::command("logs", "system:SAP", &words(&["kubectl", "logs", "--since-time={time}", "{entity}"]))
                .expect("it");
        let values = of(&[("time", "2026-01-01"), ("entity", "a b; rm -rf / $(id) `id` \"'")]);
        let filled = command.filled(&values).expect("all there");
        let expected = ["kubectl", "logs", "--since-time=2026-01-01", "a b; rm -rf / $(id) `id` \"'"];
        assert_eq!(filled, Filled::Command(words(&expected)));
        let option = of(&[("time", "-1"), ("entity", "--kubeconfig=/tmp/evil")]);
        assert!(command.filled(&option).expect_err("an option").contains("would be an option"));
        assert!(command.is_command());
        Tool::command("x", "", &[]).expect_err("nothing");
        Tool::command("x", "", &words(&["{system}", "a"])).expect_err("a field as the program");
        let mut activity = Activity::new(Id::parse("a"), Timestamp(0));
        let is_for = |activity: &Activity| command.is_for(activity, &Names::default(), &Context::default());
        assert!(!is_for(&activity));
        activity.system = Some("SAP".into());
        assert!(is_for(&activity));
    }
}

//! What is wrong with a command line, in the words of every other error, so that it has a code and an entry in the book.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;

/// What is wrong, and the usage of the command; `None` where the parser prints help, a version, or what has no words of ours.
pub(super) fn explained(error: &clap::Error) -> Option<(String, String)> {
    let text = |kind| texts(error, kind).into_iter().next().unwrap_or_default();
    let (argument, value) = (option(&text(ContextKind::InvalidArg)), text(ContextKind::InvalidValue));
    let said = match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => match suggested(error, ContextKind::SuggestedArg) {
            Some(near) => format!("no option '{argument}'; {near}"),
            None => format!("no option '{argument}'; --help lists the options"),
        },
        ErrorKind::UnknownArgument => format!("'{argument}' is one argument too many; --help says what is expected"),
        ErrorKind::InvalidSubcommand => {
            let (word, near) =
                (text(ContextKind::InvalidSubcommand), suggested(error, ContextKind::SuggestedSubcommand));
            format!("no command '{word}'; {}", near.unwrap_or_else(|| "--help lists the commands".to_owned()))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{argument} needs a value{}", known(error)),
        ErrorKind::InvalidValue => {
            let near = suggested(error, ContextKind::SuggestedValue).map(|near| format!("; {near}"));
            format!("'{value}' is no value of {argument}{}", near.unwrap_or_else(|| known(error)))
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            format!("'{value}' is no value of {argument}: {why}")
        }
        ErrorKind::TooManyValues => format!("'{value}' is one value too many for {argument}"),
        ErrorKind::ArgumentConflict => {
            let others: Vec<String> = texts(error, ContextKind::PriorArg).iter().map(|other| option(other)).collect();
            match others.as_slice() {
                [other] if *other == argument => format!("{argument} is given twice, and can be once"),
                [] => format!("{argument} excludes something else that is given"),
                others => format!("{argument} and {} exclude each other", others.join(", ")),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!("{} has to be given", texts(error, ContextKind::InvalidArg).join(", "))
        }
        ErrorKind::InvalidUtf8 => "an argument is not in UTF-8".to_owned(),
        _ => return None,
    };
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    Some((said, usage.trim().to_owned()))
}

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(all)) => all.clone(),
        _ => Vec::new(),
    }
}

/// An option without what stands for its value.
fn option(argument: &str) -> String {
    match argument.split_once([' ', '=']) {
        Some((name, _)) if name.starts_with('-') => name.trim_end_matches('[').to_owned(),
        _ => argument.to_owned(),
    }
}

fn suggested(error: &clap::Error, kind: ContextKind) -> Option<String> {
    let near = texts(error, kind).into_iter().next()?;
    Some(format!("did you mean '{near}'?"))
}

/// The values that there are, where they are few.
fn known(error: &clap::Error) -> String {
    let known = texts(error, ContextKind::ValidValue);
    if known.is_empty() { String::new() } else { format!("; it is one of {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::explain;
    use clap::Parser as _;

    fn said(line: &str) -> String {
        let error = Cli::try_parse_from(line.split(' ')).expect_err(line);
        let (said, usage) = explained(&error).expect("words");
        assert!(usage.is_empty() || usage.starts_with("Usage: crosstail"), "{usage}");
        assert!(explain::code_of(&said).is_some(), "no code for {said}");
        said
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_said_and_has_a_code() {
        for (line, expected) in [
            ("crosstail --thema dark", "no option '--thema'; did you mean '--theme'?"),
            ("crosstail query --xyzzy", "no option '--xyzzy'; --help lists the options"),
            ("crosstail mark a --at", "--at needs a value"),
            ("crosstail query -o jsn", "'jsn' is no value of --output; did you mean 'json'?"),
            (
                "crosstail query -o xml",
                "'xml' is no value of --output; it is one of text, json, csv, table, wide, name",
            ),
            (
                "crosstail demo --history soon",
                "'soon' is no value of --history: 'soon' is not a length of time; write 30m, 24h, 2d",
            ),
            ("crosstail query -n many", "'many' is no value of --limit: invalid digit found in string"),
            ("crosstail --utc --zone UTC", "--utc and --zone exclude each other"),
            ("crosstail demo --seed 1 --seed 2", "--seed is given twice, and can be once"),
            ("crosstail show", "<ID> has to be given"),
            ("crosstail alerts xyz", "no command 'xyz'; --help lists the commands"),
            ("crosstail demo other", "'other' is one argument too many; --help says what is expected"),
        ] {
            assert_eq!(said(line), expected);
        }
        let error = Cli::try_parse_from(["crosstail", "--help"]).expect_err("help");
        assert!(explained(&error).is_none());
    }
}

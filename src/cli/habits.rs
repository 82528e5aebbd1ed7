//! What hands type by habit: filters that begin with `-`, options of other programs, a file where a filter was expected.

use super::UsageError;
use super::args::Cli;
use clap::{ArgAction, Command, CommandFactory as _};
use crosstail_core::filter::{begins_with_field, suggest};
use std::ffi::OsString;
use std::path::Path;

/// The arguments as clap is to see them. An argument that is a filter and begins with `-` gets a blank before it, so that it
/// is none of clap's options; `-limit 5` is `--limit 5`.
pub(super) fn understood(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut out: Vec<OsString> = arguments.next().into_iter().collect();
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    let mut is_value = false;
    let mut literal = false;
    for argument in arguments {
        let Some(text) = argument.to_str() else {
            out.push(argument);
            is_value = false;
            continue;
        };
        if literal || is_value || text == "-" {
            is_value = false;
        } else if text == "--" {
            literal = true;
        } else if let Some(long) = text.strip_prefix("--") {
            is_value = !long.contains('=') && takes_value(command, |arg| is_long(arg, long));
        } else if let Some(short) = text.strip_prefix('-') {
            let name = short.split('=').next().unwrap_or(short);
            if short.len() > 1 && command.get_arguments().any(|arg| is_long(arg, name)) {
                out.push(format!("-{text}").into());
                is_value = !short.contains('=') && takes_value(command, |arg| is_long(arg, name));
                continue;
            }
            if has_filter(command) && is_filter(command, short) {
                out.push(format!(" {text}").into());
                continue;
            }
            is_value = ends_with_valued_option(command, short);
        } else if let Some(sub) = command.find_subcommand(text) {
            command = sub;
        }
        out.push(argument);
    }
    out
}

fn is_long(arg: &clap::Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name))
}

fn is_short(arg: &clap::Arg, letter: char) -> bool {
    arg.get_short() == Some(letter) || arg.get_all_short_aliases().is_some_and(|all| all.contains(&letter))
}

fn takes_value(command: &Command, wanted: impl Fn(&clap::Arg) -> bool) -> bool {
    let of = |arg: &clap::Arg| {
        matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !arg.is_require_equals_set()
    };
    command.get_arguments().find(|arg| wanted(arg)).is_some_and(of)
}

fn has_filter(command: &Command) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == "filter")
}

/// Whether what follows a `-` is a condition to negate, and not a cluster of short options.
fn is_filter(command: &Command, text: &str) -> bool {
    let known = |letter: char| command.get_arguments().any(|arg| is_short(arg, letter));
    let Some(first) = text.chars().next() else { return false };
    if begins_with_field(text) || !first.is_ascii_alphanumeric() {
        return true;
    }
    // One or two letters are rather a mistyped option than a text to leave out.
    if text.chars().count() < 3 {
        return false;
    }
    if !known(first) {
        return true;
    }
    // What comes after an option with a value is the value.
    let value = text.find(|letter| takes_value(command, |arg| is_short(arg, letter)));
    !text[..value.unwrap_or(text.len())].chars().all(known)
}

/// Whether a cluster of short options ends with one whose value is the next argument.
fn ends_with_valued_option(command: &Command, cluster: &str) -> bool {
    let at = cluster.char_indices().find(|(_, letter)| takes_value(command, |arg| is_short(arg, *letter)));
    at.is_some_and(|(at, letter)| at + letter.len_utf8() == cluster.len())
}

/// A file, a folder or an address among the words of a filter is a source that was named without `-s`: what would be searched
/// for is hardly what was meant.
pub(super) fn no_source_among(words: &[String]) -> Result<(), UsageError> {
    for word in words.iter().map(|word| word.trim()) {
        let scheme = word.split_once("://").map(|(scheme, _)| scheme);
        let is_address =
            scheme.is_some_and(|scheme| crate::kinds::ALL.iter().any(|kind| kind.schemes.contains(&scheme)));
        let is_path = word.contains(['/', '.']) && !word.contains([':', '"', '\'']) && Path::new(word).exists();
        if is_address || is_path {
            let safe = crosstail_core::model::redact_text(word);
            let what = if is_address {
                "an address"
            } else if Path::new(word).is_dir() {
                "a folder"
            } else {
                "a file"
            };
            return Err(UsageError(format!(
                "{safe} is {what}, and a filter was expected: -s {safe} reads it (repeat -s for several, or quote a glob); \
                 \"{safe}\" in quotes is searched for"
            )));
        }
    }
    Ok(())
}

/// The hint for a source that does not exist and looks like a mistyped command.
pub(super) fn command_like(word: &str) -> Option<String> {
    let command = Cli::command();
    let names = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(Command::get_name);
    suggest(word, names).map(|near| format!("did you mean the command '{near}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> String {
        let arguments = line.split(' ').map(OsString::from);
        let words: Vec<String> =
            understood(arguments).into_iter().map(|word| word.into_string().expect("text")).collect();
        words.join("|")
    }

    #[test]
    fn a_filter_is_a_filter_wherever_it_stands() {
        for (line, expected) in [
            ("crosstail query -http:200", "crosstail|query| -http:200"),
            ("crosstail query -status:failed -s a.log", "crosstail|query| -status:failed|-s|a.log"),
            ("crosstail export -http:200 --output q.csv", "crosstail|export| -http:200|--output|q.csv"),
            ("crosstail query -health -s x", "crosstail|query| -health|-s|x"),
            ("crosstail stats -timeout -(a", "crosstail|stats| -timeout| -(a"),
            ("crosstail query -s -", "crosstail|query|-s|-"),
            ("crosstail query -slogs/ -ojson -qn5", "crosstail|query|-slogs/|-ojson|-qn5"),
            ("crosstail query --sort -time -x", "crosstail|query|--sort|-time|-x"),
            ("crosstail query --since -1h -- -s", "crosstail|query|--since|-1h|--|-s"),
            ("crosstail query -limit 5 -output json", "crosstail|query|--limit|5|--output|json"),
            ("crosstail query -source:a -req.body.x:1", "crosstail|query| -source:a| -req.body.x:1"),
            ("crosstail --profile query query -http:200", "crosstail|--profile|query|query| -http:200"),
            ("crosstail -h", "crosstail|-h"),
        ] {
            assert_eq!(seen(line), expected);
        }
    }
}

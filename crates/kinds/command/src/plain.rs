//! A command of the user's: its output and its errors are lines. It runs again when it fails, and goes on by its own means
//! where it has such.

use crate::child::Invocation;
use crate::feed::{Feed, Origin};
use crate::stream::{Form, Stream};
use async_trait::async_trait;
use crosstail_files::Failure;
use crosstail_source::{CommandLine, ErrorKind, Run};
use std::sync::Arc;

pub(crate) struct Plain {
    run: Run,
    name: String,
    program: String,
}

impl Plain {
    pub(crate) fn new(run: Run, name: &str) -> Result<Self, &'static str> {
        let program = match &run.command {
            CommandLine::Shell(text) if text.trim().is_empty() => return Err("the command is empty"),
            CommandLine::Shell(_) => "sh".to_owned(),
            CommandLine::Words(words) => {
                words.first().filter(|word| !word.is_empty()).ok_or("the command is empty")?.clone()
            }
        };
        if run.cursor.is_none() && !run.after.is_empty() {
            return Err("after needs cursor, the field of the lines that {cursor} stands for");
        }
        Ok(Self { run, name: name.to_owned(), program })
    }

    fn goes_on(&self) -> bool {
        !self.run.since.is_empty() || !self.run.after.is_empty()
    }

    /// The command, told where to go on. A shell gets that in variables: no text of a log becomes a part of a command.
    fn invocation(&self, stream: &Stream, feed: &Feed) -> Invocation {
        let cursor = self.run.cursor.as_ref().filter(|_| stream.has_lines()).and_then(|name| stream.last_field(name));
        let time = stream.has_lines().then(|| stream.last_time(feed.formats())).flatten().map(|time| time.rfc3339());
        let with = |template: &[String], mark: &str, value: &str| -> Vec<String> {
            template.iter().map(|word| word.replace(mark, value)).collect()
        };
        let resume = match (&cursor, &time) {
            (Some(cursor), _) if !self.run.after.is_empty() => with(&self.run.after, "{cursor}", cursor),
            (_, Some(time)) if !self.run.since.is_empty() => with(&self.run.since, "{time}", time),
            _ => Vec::new(),
        };
        match &self.run.command {
            CommandLine::Shell(text) => {
                let mut invocation = Invocation::new("sh", ["-c", text]);
                invocation.variables.extend(cursor.map(|cursor| ("CROSSTAIL_AFTER", cursor)));
                invocation.variables.extend(time.map(|time| ("CROSSTAIL_SINCE", time)));
                invocation
            }
            CommandLine::Words(words) => Invocation::new(&self.program, words[1..].iter().chain(&resume)),
        }
    }
}

#[async_trait]
impl Origin for Plain {
    fn told_by_content(&self) -> bool {
        false
    }

    fn program(&self) -> &str {
        &self.program
    }

    fn is_once(&self) -> bool {
        true
    }

    fn limits(&self) -> &'static str {
        "it has no history but what the command prints, and is read whole for each search"
    }

    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure> {
        // Behind a cursor nothing is repeated.
        let exact = !self.run.after.is_empty();
        // A line of an error does not go on in a record of the output.
        let errors = feed.writer("errors", &format!("{} (errors)", self.name))?;
        let form = || Form::Lines { orders: (!exact).then(Default::default), errors: Some(errors) };
        let stream = feed.stream("output", &self.name, form)?;
        feed.reached(self.program.clone(), Vec::new());
        feed.loaded();
        let ran = feed.run(&stream, &self.invocation(&stream, feed), None).await?;
        match ran.code {
            0 if !self.goes_on() => Ok(()),
            0 => Err(Failure::new(ErrorKind::Connect, "the command has ended; it is started again")),
            code => {
                let said = if ran.said.contains("exit code") { String::new() } else { format!(": {}", ran.said) };
                Err(Failure::new(ErrorKind::Connect, format!("the command ended with exit code {code}{said}")))
            }
        }
    }
}

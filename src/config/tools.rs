//! `[[link]]` and `[[command]]` entries: what can be opened and run for an activity.

use super::Config;
use crosstail_engine::insight::Tool;
use schemars::JsonSchema;
use serde::Deserialize;

/// One `[[link]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkEntry {
    /// Name, unique among the links.
    pub name: String,
    /// For which activities: a filter that does not look into payloads; all if empty.
    #[serde(default)]
    pub filter: String,
    /// The address, with fields in braces: `https://traces.example/{corr}`.
    pub url: String,
}

/// One `[[command]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandEntry {
    /// Name, unique among the commands.
    pub name: String,
    /// For which activities: a filter that does not look into payloads; all if empty.
    #[serde(default)]
    pub filter: String,
    /// The program and its arguments, with fields in braces; no shell reads them.
    pub run: Vec<String>,
}

impl LinkEntry {
    /// The link, ready to be filled.
    ///
    /// # Errors
    /// Its filter or its address is wrong.
    pub fn tool(&self) -> Result<Tool, String> {
        Tool::link(&self.name, &self.filter, &self.url)
    }
}

impl CommandEntry {
    /// The command, ready to be filled.
    ///
    /// # Errors
    /// Its filter or its arguments are wrong.
    pub fn tool(&self) -> Result<Tool, String> {
        Tool::command(&self.name, &self.filter, &self.run)
    }
}

impl Config {
    /// The links, then the commands, ready to be filled; and what is wrong with those that are not.
    pub fn tools(&self) -> (Vec<Tool>, Vec<String>) {
        let links = self.links.iter().map(|entry| entry.tool().map_err(|why| format!("link {}: {why}", entry.name)));
        let commands =
            self.commands.iter().map(|entry| entry.tool().map_err(|why| format!("command {}: {why}", entry.name)));
        let (mut tools, mut problems) = (Vec::new(), Vec::new());
        for tool in links.chain(commands) {
            match tool {
                Ok(tool) => tools.push(tool),
                Err(problem) => problems.push(problem),
            }
        }
        (tools, problems)
    }
}

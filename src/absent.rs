//! What was named and is not there, in words: the same on the screen, in the output of commands and in what `doctor` says.

use crosstail_source::Missing;

/// What is not there, in a line.
pub fn said(missing: &Missing) -> String {
    match missing {
        Missing::File { named, host, folder } => {
            let place = host.as_ref().map(|host| format!("{host}:")).unwrap_or_default();
            match folder {
                Some(folder) => format!("no file matches {place}{named}; there is no folder {folder}"),
                None => format!("no file matches {place}{named}"),
            }
        }
        Missing::Container { named } => format!("no container is named {named}"),
        Missing::Project { folder } => format!("no container is of the project in {folder}"),
        Missing::Pod { named } => format!("no pod fits {named}"),
    }
}

/// The same in two words.
pub const fn shortly(missing: &Missing) -> &'static str {
    match missing {
        Missing::File { .. } => "no file",
        Missing::Container { .. } | Missing::Project { .. } => "not there",
        Missing::Pod { .. } => "no pod",
    }
}

/// What a person can do.
pub const fn remedy(missing: &Missing) -> &'static str {
    match missing {
        Missing::File { host: None, .. } => "check the path; put a pattern into quotes",
        Missing::File { .. } => "check the path there; patterns are those of its shell",
        Missing::Container { .. } | Missing::Project { .. } => "check the name; one that is made later is read",
        Missing::Pod { .. } => "check context, namespace and selector; a pod that is made later is read",
    }
}

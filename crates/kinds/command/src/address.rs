//! What a user writes for a source: `journald:sshd.service`, `docker:api`, `k8s:shop/app=web`, `ssh:host:/var/log/app.log`.

use crate::containers::{Choice, Containers, Engine};
use crate::feed::Origin;
use crate::journal::Journal;
use crate::kubernetes::Kubernetes;
use crate::ssh::Ssh;
use std::path::Path;
use std::sync::Arc;

/// The words before the first colon, and an example of each.
pub(crate) static FORMS: [(&str, &str); 7] = [
    ("cmd", "cmd:NAME"),
    ("journald", "journald:[UNIT]"),
    ("docker", "docker:[NAME,NAME]"),
    ("podman", "podman:[NAME,NAME]"),
    ("compose", "compose:FOLDER"),
    ("k8s", "k8s:[CONTEXT/]NAMESPACE[/SELECTOR]"),
    ("ssh", "ssh:HOST:PATH"),
];

/// Whether an argument is such an address. What exists as a file is a file.
pub(crate) fn claims(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_form = text.split_once(':').is_some_and(|(word, _)| FORMS.iter().any(|(known, _)| *known == word));
    is_form && !path.exists()
}

/// What an address means; an error says what to write.
pub(crate) fn origin(address: &str) -> Result<Arc<dyn Origin>, String> {
    let (word, rest) = address.split_once(':').unwrap_or((address, ""));
    let form = FORMS.iter().find(|(known, _)| *known == word).map_or("", |(_, form)| form);
    let wrong = |why: &str| Err(format!("{why}; write {form}"));
    if rest.contains('\0') {
        return wrong("a name has no NUL");
    }
    let names =
        || rest.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    // What begins with a dash would be an option of the program.
    if rest.split(['/', ',', ':']).any(|part| part.starts_with('-')) && word != "compose" && word != "ssh" {
        return wrong("a name does not begin with a dash");
    }
    Ok(match word {
        "journald" => Arc::new(Journal { units: names() }),
        "docker" => Arc::new(Containers { engine: Engine::Docker, choice: Choice::Names(names()) }),
        "podman" => Arc::new(Containers { engine: Engine::Podman, choice: Choice::Names(names()) }),
        "compose" => {
            let folder = if rest.is_empty() { "." } else { rest };
            let folder = std::path::absolute(folder).and_then(|folder| folder.canonicalize());
            match folder {
                Ok(folder) => Arc::new(Containers {
                    engine: Engine::Docker,
                    choice: Choice::Project(folder.display().to_string()),
                }),
                Err(error) => return wrong(&format!("{rest}: {error}")),
            }
        }
        "k8s" => match Kubernetes::of(rest) {
            Some(pods) => Arc::new(pods),
            None => return wrong("no namespace"),
        },
        "ssh" => match Ssh::of(rest) {
            Ok(ssh) => Arc::new(ssh),
            Err(why) => return wrong(why),
        },
        _ => return wrong("a command is named in the configuration ([[source]] with command = …), or given by --run"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_would_type_is_understood() {
        for good in [
            "journald:",
            "journald:sshd.service",
            "docker:",
            "docker:api,web-1",
            "podman:api",
            "compose:.",
            "k8s:shop",
            "k8s:prod/shop/app=web,tier!=db",
            "ssh:web1:/var/log/app.log",
            "ssh:me@web1:logs/*.log",
        ] {
            assert!(claims(Path::new(good)), "{good}");
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in [
            "ssh:web1",
            "ssh:-oProxyCommand=id:/x",
            "ssh::/x",
            "k8s:",
            "docker:--help",
            "cmd:x",
            "compose:/no/such/folder",
        ] {
            assert!(claims(Path::new(bad)), "{bad}");
            let error = origin(bad).err().expect("refused");
            assert!(error.contains("write "), "{error}");
        }
        assert!(!claims(Path::new("logs/app.log")) && !claims(Path::new("C:x")));
    }
}

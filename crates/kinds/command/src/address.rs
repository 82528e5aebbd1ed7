//! What a user writes for a source: `journald:sshd.service`, `docker:api`, `k8s:shop/app=web`, `ssh:host:/var/log/app.log`.

use crate::containers::{Choice, Containers, Engine};
use crate::feed::Origin;
use crate::journal::Journal;
use crate::kubernetes::Kubernetes;
use crate::ssh::Ssh;
use std::path::{Component, Path, PathBuf};
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
            match names_of(Path::new(folder)) {
                Ok(names) => Arc::new(Containers { engine: Engine::Docker, choice: Choice::Project(names) }),
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

/// The names of a folder: as it is reached, by the shell's `PWD` where it is relative, and with all links resolved.
fn names_of(folder: &Path) -> std::io::Result<Vec<String>> {
    let resolved = folder.canonicalize()?;
    let here = std::env::var_os("PWD").map(PathBuf::from).filter(|pwd| pwd.is_absolute());
    let reached = clean(&here.unwrap_or_default().join(folder));
    // PWD may be of another time.
    let is_same = reached.canonicalize().is_ok_and(|other| other == resolved);
    let mut names: Vec<String> = is_same.then(|| reached.display().to_string()).into_iter().collect();
    names.push(resolved.display().to_string());
    names.dedup();
    Ok(names)
}

/// A path without `.` and `..`, whatever they lead to: so does compose.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            part => cleaned.push(part),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_the_name_by_which_it_is_reached_and_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().canonicalize().expect("there").join("srv");
        std::fs::create_dir(&own).expect("made");
        let link = folder.path().join("app");
        std::os::unix::fs::symlink(&own, &link).expect("linked");
        let text = |path: &Path| path.display().to_string();
        assert_eq!(names_of(&link.join("../app/.")).expect("there"), [text(&link), text(&own)]);
        assert_eq!(names_of(&own).expect("there"), [text(&own)]);
        assert!(names_of(&own.join("nowhere")).is_err());
    }

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

//! Who runs crosstail, where nobody says it.

use std::fs;

/// The name of the user of this process; its number where it has none, as in containers.
pub(super) fn user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(&accounts, &uid).map_or_else(|| format!("uid {uid}"), str::to_owned)
}

/// The name with a number in the lines of `/etc/passwd` (passwd(5)).
fn name_of<'a>(accounts: &'a str, uid: &str) -> Option<&'a str> {
    let entry = |line: &'a str| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == uid && !name.is_empty()).then_some(name)
    };
    accounts.lines().find_map(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_the_name_of_its_number() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n# none\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(
            [name_of(accounts, "1000"), name_of(accounts, "0"), name_of(accounts, "7")],
            [Some("ann"), Some("root"), None]
        );
        assert!(!user().is_empty());
    }
}

//! Files on another host, over the user's own `ssh`: a script there sends what is new, by the inode and the offset of each
//! file, so that nothing is lost or doubled when the connection is cut or the files are rotated.

mod frames;

use crate::child::{Invocation, complaint};
use crate::feed::{Backoff, Feed, Origin, cannot_read, cannot_start, refusal};
use crate::stream::{Form, Stream};
use async_trait::async_trait;
use crosstail_core::number::saturating_u64;
use crosstail_files::Failure;
use crosstail_source::{ErrorKind, Missing};
use frames::{FileId, Frame, Frames, SILENCE};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};

/// What runs on the other host.
const SCRIPT: &str = include_str!("follow.sh");
/// How much history is fetched, in bytes.
const LIMIT: u64 = 256 << 20;
/// So many paths and patterns are followed, at most.
const PATHS: usize = 64;

pub(crate) struct Ssh {
    host: String,
    /// Paths and patterns, as the other host understands them.
    paths: Vec<String>,
    known: Mutex<Known>,
}

/// What was read.
#[derive(Default)]
struct Known {
    files: HashMap<FileId, Remote>,
    /// Compressed files, which do not grow.
    done: HashSet<FileId>,
    /// What of the history is not read: how many files, how many bytes, and the name of one.
    left_out: Option<(usize, u64, String)>,
    /// What matches nothing, as it is told before all that is there has been read.
    absent: Vec<String>,
}

/// A file of the other host, as far as it was read.
struct Remote {
    stream: Arc<Stream>,
    name: String,
    read: Read,
    /// What had been read of it when it was truncated.
    before: Option<Read>,
    /// Whether its beginning was left out, and with it a part of a line.
    in_a_line: bool,
}

/// How much was read, and how it is known again.
#[derive(Debug, Clone, Copy, Default)]
struct Read {
    offset: u64,
    /// Length and sum of its beginning, and the sum of the end of what was read.
    beginning: (u64, u64),
    ending: u64,
    /// Whether that ends in the middle of a line.
    in_a_line: bool,
}

impl Read {
    /// As the script has it, in variables that begin so.
    fn words(&self, before: &str, inode: FileId) -> String {
        let Self { offset, beginning: (length, sum), ending, .. } = self;
        let words = [("o", offset), ("l", length), ("h", sum), ("t", ending)];
        words.map(|(name, value)| format!("{before}{name}_{inode}={value}\n")).concat()
    }
}

impl Ssh {
    /// `HOST:PATH`, or several paths with a colon between them.
    pub(crate) fn of(text: &str) -> Result<Self, &'static str> {
        let end = if text.starts_with('[') { text.find(']').map_or(0, |at| at + 1) } else { 0 };
        let split = text[end..].split_once(':').ok_or("no path")?;
        let host = format!("{}{}", &text[..end], split.0);
        let paths: Vec<String> = split
            .1
            .split(':')
            .flat_map(alternatives)
            .map(|path| path.strip_prefix("~/").unwrap_or(&path).to_owned())
            .collect();
        if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
            return Err("no host");
        }
        if paths.iter().any(String::is_empty) {
            return Err("no path");
        }
        if paths.iter().any(|path| path.contains("**")) {
            return Err(
                "** is no pattern of the shell there: name a folder, or several paths with a colon between them",
            );
        }
        if paths.len() > PATHS {
            return Err("these are too many paths");
        }
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), paths, known: Mutex::default() })
    }

    /// The script with what it has to know, in words that the shell reads as they are.
    fn script(&self) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let first = u8::from(known.files.is_empty() && known.done.is_empty());
        let mut script = format!("LIMIT={LIMIT}\nFIRST={first}\nN={}\n", self.paths.len());
        for (index, path) in self.paths.iter().enumerate() {
            script.push_str(&format!("p{}={}\n", index + 1, quoted(path)));
        }
        let inodes: Vec<String> = known.files.keys().map(FileId::to_string).collect();
        script.push_str(&format!("all='{}'\n", inodes.join(" ")));
        for (inode, file) in &known.files {
            script.push_str(&file.read.words("", *inode));
            script.push_str(&file.before.map(|before| before.words("p", *inode)).unwrap_or_default());
        }
        for inode in &known.done {
            script.push_str(&format!("z_{inode}=1\n"));
        }
        script + SCRIPT
    }

    fn stream(&self, inode: FileId, name: &str, feed: &Feed) -> Result<Arc<Stream>, Failure> {
        let form = || Form::Lines { orders: None, errors: None };
        feed.stream(&inode.to_string(), &format!("{}:{name}", self.host), form)
    }

    /// Takes what the script sent; returns whether everything has been read.
    fn take(&self, frame: Frame, feed: &Feed) -> Result<bool, Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { files, done, left_out, absent } = &mut *known;
        let spool = |error: std::io::Error| Failure::spool(&error);
        match frame {
            Frame::AllRead => {
                let paths = std::mem::take(absent);
                if !paths.is_empty() && paths.len() == self.paths.len() {
                    feed.notice(format!("no file of {} matches yet", self.host));
                } else {
                    for path in paths {
                        feed.notice(format!("no file matches {}:{path}", self.host));
                    }
                }
                if let Some((count, bytes, name)) = left_out.take() {
                    let others = if count > 1 { format!(" and {} other files", count - 1) } else { String::new() };
                    let host = &self.host;
                    feed.warn(format!("{host}:{name}{others}: {} MB of history are not read", bytes.div_ceil(1 << 20)));
                }
                return Ok(true);
            }
            Frame::NothingMatches(number) => {
                absent.extend(number.checked_sub(1).and_then(|index| self.paths.get(index)).cloned());
                let missing = absent.iter().map(|named| Missing::File {
                    named: named.clone(),
                    host: Some(self.host.clone()),
                    folder: None,
                });
                feed.lacks(missing.collect(), self.paths.len());
            }
            Frame::Refused(name) => feed.unread(format!("{name} may not be read on {}", self.host)),
            Frame::LeftOut { bytes, name } => {
                let (count, all, _) = left_out.take().unwrap_or_default();
                *left_out = Some((count + 1, all + bytes, name));
            }
            Frame::Packed { inode, name, bytes } => {
                let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
                self.stream(inode, &name, feed)?.add_whole(&format!(".log{ending}"), &bytes).map_err(spool)?;
            }
            Frame::Done(inode) => {
                done.insert(inode);
            }
            Frame::Truncated(inode) => {
                if let Some(file) = files.get_mut(&inode) {
                    file.stream.begin_anew();
                    file.before = Some(std::mem::take(&mut file.read));
                    feed.notice(format!(
                        "a file of {} was truncated or replaced: lines written just before may be lost where no copy is kept",
                        self.host
                    ));
                }
            }
            Frame::Gone(inode) => {
                if let Some(file) = files.get(&inode) {
                    feed.notice(format!(
                        "{} on {} was moved away or removed: lines written just before may be missing",
                        file.name, self.host
                    ));
                }
            }
            Frame::GoesOn { inode, from } => {
                if let Some(file) = files.get(&from) {
                    let read = if file.read.offset > 0 { file.read } else { file.before.unwrap_or_default() };
                    // A line that was begun ends where it began; other lines have a file of their own.
                    let stream =
                        if read.in_a_line { Arc::clone(&file.stream) } else { self.stream(inode, &file.name, feed)? };
                    let copy = Remote { stream, name: file.name.clone(), read, before: None, in_a_line: false };
                    files.insert(inode, copy);
                }
            }
            Frame::Piece { inode, offset, name, bytes, beginning, ending } => {
                let file = match files.entry(inode) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        let stream = self.stream(inode, &name, feed)?;
                        let in_a_line = offset > 0;
                        new.insert(Remote { stream, name, read: Read::default(), before: None, in_a_line })
                    }
                };
                let mut rest = bytes.as_slice();
                if file.in_a_line {
                    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                    file.in_a_line = !rest[..end].ends_with(b"\n");
                    rest = &rest[end..];
                }
                file.stream.write(rest).map_err(spool)?;
                let in_a_line = !bytes.ends_with(b"\n");
                file.read = Read { offset: offset + saturating_u64(bytes.len()), beginning, ending, in_a_line };
            }
        }
        feed.tell_given_up();
        Ok(false)
    }
}

/// The paths that a path with braces stands for: `app-{1,2}.log` is `app-1.log` and `app-2.log`, as interactive shells have it. Braces
/// without a comma are a part of a name.
fn alternatives(path: &str) -> Vec<String> {
    let inner = path.match_indices('{').filter_map(|(open, _)| {
        let close = open + path[open..].find('}')?;
        let inside = &path[open + 1..close];
        (inside.contains(',') && !inside.contains('{')).then_some((open, close))
    });
    let Some((open, close)) = { inner }.next() else { return vec![path.to_owned()] };
    let each = path[open + 1..close].split(',');
    // At most as many as are refused anyway.
    each.flat_map(|one| alternatives(&format!("{}{one}{}", &path[..open], &path[close + 1..])))
        .take(PATHS + 1)
        .collect()
}

/// A text as a word of the shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[async_trait]
impl Origin for Ssh {
    fn told_by_content(&self) -> bool {
        false
    }

    fn program(&self) -> &'static str {
        "ssh"
    }

    fn limits(&self) -> &'static str {
        "it begins with the last 256 MB of the files, which are kept on this machine while it is open, and is read whole for \
         each search"
    }

    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure> {
        loop {
            let mut is_whole = false;
            let Err(failure) = self.session(feed, &mut is_whole).await else { return Ok(()) };
            // A connection that was good is made again at once; one that is not made is the pump's to try.
            if !is_whole {
                return Err(failure);
            }
            feed.notice(format!("{}; it is connected again, and goes on where it was", failure.cause));
            Backoff::new().wait().await;
        }
    }
}

impl Ssh {
    /// One connection, until it ends. Says whether everything was read that was there.
    async fn session(&self, feed: &Feed, is_whole: &mut bool) -> Result<(), Failure> {
        let path = feed.spool().path().join(".script");
        let write = || {
            let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            file.write_all(self.script().as_bytes())
        };
        write().map_err(|error| Failure::spool(&error))?;
        // The script comes by standard input: the shell of the login there reads two words of ours, and none of anybody else.
        // A connection that others share is used, and none is made that others would use: it ends with the source.
        let options = ["BatchMode=yes", "ConnectTimeout=15", "ControlMaster=no"].map(|option| ["-o", option]).concat();
        let arguments = [&["-T"], options.as_slice(), &["--", &self.host, "exec sh"]].concat();
        let ssh = Invocation { input: Some(path.clone()), ..Invocation::new("ssh", arguments) };
        let child = ssh.start(feed.spool().path()).map_err(|error| cannot_start(&ssh, &error))?;
        let (out, rest) = child.divided();
        let mut frames = Frames::new(out);
        let ended = loop {
            let frame = match frames.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => break Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                    let said = format!("{} has said nothing for {} s", self.host, SILENCE.as_secs());
                    return Err(Failure::new(ErrorKind::Timeout, said));
                }
                Err(error) => break Err(error),
            };
            let is_read = self.take(frame, feed)?;
            feed.reached(format!("ssh to {}", self.host), Vec::new());
            if is_read {
                *is_whole = true;
                feed.loaded();
            }
        };
        let (said, code) = rest.ended().await.map_err(|error| cannot_read(&error))?;
        Err(match ended {
            Err(error) if said.trim_ascii().is_empty() => cannot_read(&error),
            _ => refusal(complaint(&said, code)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Seek as _;
    use std::process::Command;

    #[test]
    fn a_word_of_the_shell_is_what_it_was_whatever_it_holds() {
        for hostile in
            ["a'b", "'; touch /tmp/owned; '", "$(id)", "`id`", "a\nb", "\\", "-rf", "*", "~root", "é\u{202e}"]
        {
            let script = format!("p={}; printf %s \"$p\"", quoted(hostile));
            let output = Command::new("sh").arg("-c").arg(script).output().expect("sh");
            assert_eq!(String::from_utf8_lossy(&output.stdout), hostile);
        }
    }

    #[test]
    fn an_address_names_a_host_and_paths() {
        let of = |text: &str| Ssh::of(text).map(|ssh| (ssh.host, ssh.paths));
        assert_eq!(of("web1:/a.log"), Ok(("web1".to_owned(), vec!["/a.log".to_owned()])));
        assert_eq!(of("me@web1:~/a b:/c"), Ok(("me@web1".to_owned(), vec!["a b".to_owned(), "/c".to_owned()])));
        assert_eq!(of("[::1]:/a"), Ok(("::1".to_owned(), vec!["/a".to_owned()])));
        let paths = |text: &str| Ssh::of(text).map(|ssh| ssh.paths.join(" "));
        assert_eq!(paths("h:/a{1,2}/{x,y}.log").as_deref(), Ok("/a1/x.log /a1/y.log /a2/x.log /a2/y.log"));
        assert_eq!(paths("h:/{a,b{1,2}}:/c").as_deref(), Ok("/a /b1 /a /b2 /c"));
        assert_eq!(paths("h:/{a}{b").as_deref(), Ok("/{a}{b"));
        let many = format!("h:/{}", "{a,b}".repeat(20));
        for bad in ["web1", "web1:", ":/a", "-oProxyCommand=id:/a", "a b:/c", "h:/var/**/app.log", &many] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    /// The script over a path of this machine.
    fn running(path: &std::path::Path, limit: u64) -> (tokio::process::Child, Frames<tokio::process::ChildStdout>) {
        let ssh = Ssh::of(&format!("h:{}", path.display())).expect("an address");
        let script = ssh.script().replacen(&format!("LIMIT={LIMIT}"), &format!("LIMIT={limit}"), 1);
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(script.as_bytes()).expect("written");
        file.rewind().expect("at its beginning");
        let mut sh = tokio::process::Command::new("sh");
        let mut sh = sh.stdin(file).stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().expect("sh");
        let frames = Frames::new(sh.stdout.take().expect("a pipe"));
        (sh, frames)
    }

    /// What the script says of a folder, until it has read all that is there.
    async fn said(folder: &std::path::Path, limit: u64) -> Vec<Frame> {
        let (_sh, mut frames) = running(folder, limit);
        let mut found = Vec::new();
        while let Some(frame) = frames.next().await.expect("understood") {
            if frame == Frame::AllRead {
                break;
            }
            found.push(frame);
        }
        found
    }

    /// The text of pieces until one holds a word, and whether a file was said to be gone.
    async fn read_until(frames: &mut Frames<tokio::process::ChildStdout>, word: &str) -> (String, bool) {
        let (mut text, mut is_gone) = (String::new(), false);
        loop {
            match frames.next().await.expect("understood").expect("it goes on") {
                Frame::Piece { bytes, .. } => text.push_str(&String::from_utf8_lossy(&bytes)),
                Frame::Gone(_) => is_gone = true,
                _ => {}
            }
            if text.contains(word) {
                return (text, is_gone);
            }
        }
    }

    /// A program goes on writing to the file that was renamed, until it opens the new one.
    #[tokio::test]
    async fn a_file_that_is_renamed_is_read_to_its_end_whatever_it_is_called_then() {
        for name in
            ["app-20261127.log", "app.2026-11-27.log", "app1.log", "app.log.1", "app.log-20261127", "app-old.log"]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("app.log");
            let mut file = std::fs::File::create(&path).expect("made");
            file.write_all(b"one\n").expect("written");
            std::fs::write(folder.path().join("app-other.log"), "of another program\n").expect("written");
            let (_sh, mut frames) = running(&path, 10_000);
            assert_eq!(read_until(&mut frames, "one").await.0, "one\n");
            std::fs::rename(&path, folder.path().join(name)).expect("renamed");
            file.write_all(b"two\n").expect("written");
            let two = read_until(&mut frames, "two").await;
            std::fs::write(&path, "three\n").expect("written");
            let three = read_until(&mut frames, "three").await;
            assert_eq!((two, three), (("two\n".to_owned(), false), ("three\n".to_owned(), false)), "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_moved_away_is_said_to_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.log");
        std::fs::write(&path, "one\n").expect("written");
        let (_sh, mut frames) = running(&path, 10_000);
        read_until(&mut frames, "one").await;
        std::fs::create_dir(folder.path().join("old")).expect("made");
        std::fs::rename(&path, folder.path().join("old/app.log")).expect("moved");
        std::fs::write(&path, "a new file that has nothing of it\n").expect("written");
        let (mut is_gone, mut is_read) = (false, false);
        while !(is_gone && is_read) {
            match frames.next().await.expect("understood").expect("it goes on") {
                Frame::Gone(_) => is_gone = true,
                Frame::Piece { bytes, .. } => is_read |= bytes.starts_with(b"a new"),
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn history_that_is_left_out_is_told_of_whole_files_too() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.log", "b.log", "c.log.gz"] {
            std::fs::write(folder.path().join(name), "0123456789\n".repeat(100)).expect("written");
        }
        let left_out = |frames: &[Frame]| -> Vec<(String, u64)> {
            let told = frames.iter().filter_map(|frame| match frame {
                Frame::LeftOut { bytes, name } => {
                    Some((name.rsplit('/').next().unwrap_or_default().to_owned(), *bytes))
                }
                _ => None,
            });
            told.collect()
        };
        assert_eq!(left_out(&said(folder.path(), 10_000).await), []);
        let some = left_out(&said(folder.path(), 600).await);
        let is = |name: &str, bytes: u64| (name.to_owned(), bytes);
        assert_eq!(some, [is("a.log", 500), is("b.log", 1100), is("c.log.gz", 1100)]);
    }
}

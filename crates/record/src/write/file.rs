//! Winston's files, as HaloPSA has them: `combined.log` and `error.log`, rotated at 5 MB, the five newest of each kept.

use super::{Writer, log};
use crate::{Start, WriteStep};
use anyhow::Context as _;
use async_trait::async_trait;
use crosstail_core::model::Level;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// A file grows to this many bytes.
const MAX_BYTES: u64 = 5_242_880;

/// Writes into a folder.
#[derive(Debug)]
pub struct FileWriter {
    combined: Rotated,
    errors: Rotated,
}

/// `name.log`, `name1.log`, `name2.log` …: the newest has the highest number, as Winston numbers them.
#[derive(Debug)]
struct Rotated {
    folder: PathBuf,
    name: &'static str,
    number: u32,
    out: BufWriter<File>,
    bytes: u64,
    lines: u64,
    /// Files before the one that is written, with their lines.
    before: VecDeque<(PathBuf, u64)>,
    keep: usize,
}

impl Rotated {
    fn open(folder: &Path, name: &'static str, keep: usize) -> anyhow::Result<Self> {
        let path = folder.join(format!("{name}.log"));
        let file = File::options().create_new(true).append(true).open(&path);
        let file = file.with_context(|| format!("{}: a new file is needed", path.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            name,
            number: 0,
            out: BufWriter::with_capacity(1 << 16, file),
            bytes: 0,
            lines: 0,
            before: VecDeque::new(),
            keep,
        })
    }

    fn path(&self, number: u32) -> PathBuf {
        let number = if number == 0 { String::new() } else { number.to_string() };
        self.folder.join(format!("{}{number}.log", self.name))
    }

    fn write(&mut self, line: &str) -> std::io::Result<()> {
        if self.bytes >= MAX_BYTES {
            self.out.flush()?;
            self.before.push_back((self.path(self.number), self.lines));
            self.number += 1;
            (self.bytes, self.lines) = (0, 0);
            let file = File::options().create(true).append(true).open(self.path(self.number))?;
            self.out = BufWriter::with_capacity(1 << 16, file);
            if self.keep > 0
                && self.before.len() >= self.keep
                && let Some((oldest, _)) = self.before.pop_front()
            {
                std::fs::remove_file(oldest)?;
            }
        }
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")?;
        self.bytes += line.len() as u64 + 1;
        self.lines += 1;
        Ok(())
    }

    fn held(&self) -> u64 {
        self.lines + self.before.iter().map(|(_, lines)| lines).sum::<u64>()
    }
}

impl FileWriter {
    /// Starts new files in a folder, which is created if it is missing. `keep` is how many files of each name stay; 0 means
    /// all.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or has such files already.
    pub fn open(folder: &Path, keep: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let combined = Rotated::open(folder, "combined", keep)?;
        Ok(Self { combined, errors: Rotated::open(folder, "error", keep)? })
    }
}

#[async_trait]
impl Writer for FileWriter {
    fn accepts(&self, _: &Start) -> bool {
        true
    }

    async fn write(&mut self, steps: &[WriteStep]) -> anyhow::Result<()> {
        let mut lines: Vec<_> = steps.iter().flat_map(log::winston).collect();
        lines.sort_by_key(|(at, ..)| *at);
        for (_, level, line) in lines {
            let line = line.to_string();
            self.combined.write(&line)?;
            if level >= Level::Error {
                self.errors.write(&line)?;
            }
        }
        self.combined.out.flush()?;
        self.errors.out.flush()?;
        Ok(())
    }

    fn written(&self) -> Vec<(String, u64)> {
        [&self.combined, &self.errors].map(|files| (format!("{}*.log", files.name), files.held())).to_vec()
    }
}

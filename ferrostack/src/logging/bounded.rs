// SPDX-License-Identifier: Apache-2.0
//! Standard error, if it is a file: put aside when it is large, so many times.
//!
//! Invariant: a log that cannot be written fails nobody (test: `a_log_that_cannot_be_written_fails_nobody`).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use nix::unistd::{dup2_stderr, dup2_stdout};

/// A file holds some lines at least.
const LEAST: u64 = 4096;

pub struct Bounded {
    most: u64,
    kept: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What standard error is; none if it is no file.
    path: Option<PathBuf>,
    size: u64,
    /// Lines that could not be written.
    lost: u64,
}

impl Bounded {
    /// Of `most` bytes a file, beside `kept` that were put aside.
    pub fn standard_error(most: u64, kept: u32) -> Self {
        Self { most: most.max(LEAST), kept, state: Mutex::new(State::of_standard_error()) }
    }
}

impl State {
    fn of_standard_error() -> Self {
        let Some(is) = fs::metadata("/proc/self/fd/2").ok().filter(fs::Metadata::is_file) else { return Self::default() };
        // A file without a name any more stays as it is.
        let path = fs::read_link("/proc/self/fd/2").ok().filter(|path| path.exists());
        Self { path, size: is.len(), lost: 0 }
    }

    fn write(&mut self, line: &[u8], most: u64, kept: u32) -> io::Result<()> {
        if self.size > 0
            && self.size + line.len() as u64 > most
            && let Some(path) = &self.path
        {
            // Where it cannot be put aside, it is emptied: its bound counts for more than what is in it.
            put_aside(path, kept).or_else(|_| OpenOptions::new().write(true).open(path)?.set_len(0))?;
            self.size = 0;
        }
        if self.lost > 0 {
            let lost = self.lost;
            let note = format!("\n{{\"level\":\"WARN\",\"message\":\"the log could not be written\",\"lines_lost\":{lost}}}\n");
            io::stderr().write_all(note.as_bytes())?;
            self.size += note.len() as u64;
            self.lost = 0;
        }
        io::stderr().write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }
}

impl Write for &Bounded {
    /// Never fails: nobody could do anything about it, least of all whoever had something to say.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.write(line, self.most, self.kept).is_err() {
            state.lost += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `x.log` becomes `x.log.1`, that `x.log.2` and so on; the last one goes. What else writes to standard output or error of this
/// process goes on in the new file.
fn put_aside(path: &Path, kept: u32) -> io::Result<()> {
    let mode = fs::metadata(path)?.mode();
    let is_output = fs::read_link("/proc/self/fd/1").is_ok_and(|output| output == path);
    let aside = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..kept).rev() {
        if aside(number).exists() {
            fs::rename(aside(number), aside(number + 1))?;
        }
    }
    if kept == 0 {
        fs::remove_file(path)?;
    } else {
        fs::rename(path, aside(1))?;
    }
    let new: File = OpenOptions::new().create(true).append(true).mode(mode & 0o777).open(path)?;
    dup2_stderr(&new)?;
    if is_output {
        dup2_stdout(&new)?;
    }
    Ok(())
}

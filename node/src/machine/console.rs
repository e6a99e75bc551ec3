// SPDX-License-Identifier: Apache-2.0
//! What a guest wrote to its first serial port: bounded, and read from its end.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use work::durable;

use crate::{Result, error::Doing};

/// As much as Nova returns at most.
const LONGEST_ANSWER: u64 = 100 << 10;
/// A log that grows beyond this is cut down to its last part.
const LARGEST: u64 = 8 << 20;
const KEPT: u64 = 1 << 20;

/// The last lines, or as many as fit.
pub(crate) fn tail(log: &Path, lines: Option<u64>) -> Result<String> {
    let mut bytes = last_part(&log.with_extension("log.1"), LONGEST_ANSWER)?;
    bytes.extend(last_part(log, LONGEST_ANSWER)?);
    let from = bytes.len().saturating_sub(LONGEST_ANSWER as usize);
    let text = String::from_utf8_lossy(&bytes[from..]);
    let Some(count) = lines else { return Ok(text.into_owned()) };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let body = text.strip_suffix('\n').unwrap_or(&text);
    let start = match count {
        0 => return Ok(String::new()),
        count => body.rmatch_indices('\n').nth(count - 1).map_or(0, |(at, _)| at + 1),
    };
    Ok(text[start..].to_owned())
}

/// Puts the last part of a large log aside and empties it. QEMU appends, so it goes on at the beginning.
pub(crate) fn bound(log: &Path) -> Result<()> {
    let length = log.metadata().map_or(0, |is| is.len());
    if length <= LARGEST {
        return Ok(());
    }
    let kept = last_part(log, KEPT)?;
    let doing = || format!("cut {} down", log.display());
    durable::write(&log.with_extension("log.1"), &kept).doing(doing)?;
    OpenOptions::new().write(true).open(log).and_then(|file| file.set_len(0)).doing(doing)
}

fn last_part(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(bytes),
        Err(error) => return Err(error).doing(|| format!("open {}", path.display())),
    };
    let doing = || format!("read {}", path.display());
    let length = file.metadata().doing(doing)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most))).doing(doing)?;
    file.take(most).read_to_end(&mut bytes).doing(doing)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_counted_in_lines_from_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console.log");
        assert_eq!(tail(&log, Some(3)).unwrap(), "");
        std::fs::write(&log, "one\ntwo\nthree\nfour").unwrap();
        assert_eq!(tail(&log, None).unwrap(), "one\ntwo\nthree\nfour");
        assert_eq!(tail(&log, Some(2)).unwrap(), "three\nfour");
        assert_eq!(tail(&log, Some(0)).unwrap(), "");
        assert_eq!(tail(&log, Some(9)).unwrap(), "one\ntwo\nthree\nfour");
        std::fs::write(&log, "one\ntwo\n").unwrap();
        assert_eq!(tail(&log, Some(1)).unwrap(), "two\n");
    }

    #[test]
    fn a_large_log_keeps_its_last_part() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("console.log");
        let mut content = vec![b'x'; LARGEST as usize];
        content.extend(b"\nthe end\n");
        std::fs::write(&log, content).unwrap();
        bound(&log).unwrap();
        assert_eq!(log.metadata().unwrap().len(), 0);
        std::fs::write(&log, "and on\n").unwrap();
        assert_eq!(tail(&log, Some(2)).unwrap(), "the end\nand on\n");
    }
}

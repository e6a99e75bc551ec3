// SPDX-License-Identifier: Apache-2.0
//! Size, header and first words of each source file.

use std::{fs, path::Path};

use anyhow::Context;

/// No file is longer, and nine in ten are no longer than the second.
const LONGEST: usize = 1_000;
const NINE_IN_TEN: usize = 400;
const HEADER: &str = "// SPDX-License-Identifier: Apache-2.0";

pub struct Source {
    /// From the top folder.
    pub path: String,
    pub text: String,
}

/// All Rust sources of the workspace.
pub fn read(top: &Path) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for drawer in ["foundation", "adapters", "services", "node", "ferrostack", "testing", "xtask"] {
        walk(top, &top.join(drawer), &mut sources)?;
    }
    Ok(sources)
}

pub fn check(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut lengths: Vec<usize> = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        lengths.push(lines);
        if lines > LONGEST {
            complaints.push(format!("{} has {lines} lines; the most is {LONGEST}: divide it", source.path));
        }
        if !source.text.starts_with(HEADER) {
            complaints.push(format!("{} does not begin with {HEADER}", source.path));
        }
        let is_test = source.path.ends_with("tests.rs") || source.path.contains("/tests/");
        if !is_test && !source.text.lines().any(|line| line.starts_with("//!")) {
            complaints.push(format!("{} does not say what it is: a //! is missing", source.path));
        }
    }
    lengths.sort_unstable();
    if let Some(ninth) = lengths.get(lengths.len() * 9 / 10).filter(|ninth| **ninth > NINE_IN_TEN) {
        complaints.push(format!("one file in ten has over {ninth} lines; nine in ten should have {NINE_IN_TEN} at most"));
    }
    complaints
}

fn walk(top: &Path, folder: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                walk(top, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let path = path.strip_prefix(top).unwrap_or(&path).to_string_lossy().into_owned();
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

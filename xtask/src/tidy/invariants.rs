// SPDX-License-Identifier: Apache-2.0
//! Every sentence that begins `Invariant:` names, in backticks after `test:`, the test that keeps it.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context;

use super::files::Source;

pub fn check(top: &Path, sources: &[Source]) -> anyhow::Result<Vec<String>> {
    let tests = test_names(sources);
    let architecture = fs::read_to_string(top.join("ARCHITECTURE.md")).context("read ARCHITECTURE.md")?;
    let mut complaints = Vec::new();
    complaints.extend(check_text("ARCHITECTURE.md", &architecture, &tests));
    for source in sources.iter().filter(|source| !source.path.starts_with("xtask/src/tidy")) {
        complaints.extend(check_text(&source.path, &comments(&source.text), &tests));
    }
    Ok(complaints)
}

/// Comment text without its slashes, so that a sentence may run over several lines.
fn comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_start());
    lines
        .map(|line| line.strip_prefix("//").map_or("", |rest| rest.trim_start_matches(['/', '!'])))
        .collect::<Vec<_>>()
        .join("\n")
}

fn check_text(path: &str, text: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, _) in text.match_indices("Invariant:") {
        let paragraph = text[at..].split("\n\n").next().unwrap_or_default();
        let start: String = paragraph.chars().take(60).collect();
        if text[..at].ends_with('`') {
            continue; // The word itself is spoken of.
        }
        let Some((_, after)) = paragraph.split_once("(test:") else {
            complaints.push(format!("{path}: \"{start}…\" names no test"));
            continue;
        };
        let named: Vec<&str> = after.split(')').next().unwrap_or_default().split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            complaints.push(format!("{path}: \"{start}…\" names no test in backticks"));
        }
        for name in named {
            let last = name.rsplit("::").next().unwrap_or(name);
            if !tests.contains(last) {
                complaints.push(format!("{path}: \"{start}…\" names the test `{name}`, which is not there"));
            }
        }
    }
    complaints
}

fn test_names(sources: &[Source]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources {
        let mut is_test = false;
        for line in source.text.lines().map(str::trim) {
            if line.starts_with("#[") && line.contains("test") {
                is_test = true;
            } else if let Some((_, rest)) = line.split_once("fn ")
                && !line.starts_with("//")
            {
                // A suite that runs on several engines has its cases as plain functions, which a macro makes tests.
                if is_test || source.path.contains("/tests/") {
                    names.insert(rest.split(['(', '<']).next().unwrap_or_default().trim().to_owned());
                }
                is_test = false;
            }
        }
    }
    names
}

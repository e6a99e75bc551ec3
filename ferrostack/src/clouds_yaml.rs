// SPDX-License-Identifier: Apache-2.0
//! Puts our entries into `clouds.yaml` and leaves all others as they are, comments included.
//!
//! The file belongs to the user, so it is edited as text: the block of one entry is exchanged, or added at the end of
//! `clouds:`. If the outcome would not read as it should (a file in flow style, say), the file is left alone.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_yaml_ng::Value;

pub struct Entry {
    pub name: String,
    pub auth_url: String,
    pub username: String,
    pub password: String,
    pub project: String,
    pub region: String,
    pub cacert: Option<PathBuf>,
}

/// `~/.config/openstack/clouds.yaml`
pub fn path() -> PathBuf {
    let base = std::env::var_os("XDG_CONFIG_HOME").filter(|base| !base.is_empty()).map(PathBuf::from);
    let base = base.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".config"));
    base.join("openstack/clouds.yaml")
}

/// Returns whether the file had to be changed.
pub fn merge(path: &Path, entries: &[Entry]) -> anyhow::Result<bool> {
    let old = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    let new = merged(&old, entries).with_context(|| format!("merge our entries into {}", path.display()))?;
    if new == old {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let temporary = path.with_extension("yaml.ferrostack");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(new.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    Ok(true)
}

fn merged(old: &str, entries: &[Entry]) -> anyhow::Result<String> {
    let mut text = old.to_owned();
    for entry in entries {
        text = with_entry(&text, entry)?;
    }
    // The proof of the pudding: all that was there is there, and ours reads as it should.
    let was: Value =
        if old.trim().is_empty() { Value::Null } else { serde_yaml_ng::from_str(old).context("it is not valid YAML")? };
    let is: Value = serde_yaml_ng::from_str(&text).context("the merged text is not valid YAML")?;
    for entry in entries {
        if is["clouds"][entry.name.as_str()]["auth"]["password"].as_str() != Some(entry.password.as_str()) {
            bail!("it is written in a style that cannot be added to; write its entries in block style");
        }
    }
    if let Some(others) = was["clouds"].as_mapping() {
        for (name, value) in others {
            let ours = entries.iter().any(|entry| name.as_str() == Some(entry.name.as_str()));
            if !ours && is["clouds"][name] != *value {
                bail!("the entry {name:?} would change");
            }
        }
    }
    Ok(text)
}

fn with_entry(text: &str, entry: &Entry) -> anyhow::Result<String> {
    let lines: Vec<&str> = text.lines().collect();
    let Some(clouds) = lines.iter().position(|line| line.trim_end() == "clouds:") else {
        if lines.iter().any(|line| line.starts_with("clouds")) {
            bail!("its `clouds` is not in block style");
        }
        let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{separator}clouds:\n{}", block(entry, "  ")));
    };
    // The block of `clouds:` ends before the next line that is not indented.
    let end = lines[clouds + 1..]
        .iter()
        .position(|line| is_content(line) && indent(line) == 0)
        .map_or(lines.len(), |at| clouds + 1 + at);
    let inner = lines[clouds + 1..end].iter().find(|line| is_content(line)).map_or(2, |line| indent(line));
    let margin = " ".repeat(inner);
    let header = |line: &str| indent(line) == inner && is_content(line);
    let mine =
        lines[clouds + 1..end].iter().position(|line| header(line) && name_of(line) == entry.name).map(|at| clouds + 1 + at);
    let (from, to) = match mine {
        Some(from) => {
            let to = lines[from + 1..end]
                .iter()
                .position(|line| is_content(line) && indent(line) <= inner)
                .map_or(end, |at| from + 1 + at);
            (from, to)
        }
        None => (end, end),
    };
    let mut out = String::new();
    for line in &lines[..from] {
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(&block(entry, &margin));
    for line in &lines[to..] {
        out.push_str(line);
        out.push('\n');
    }
    Ok(out)
}

fn block(entry: &Entry, margin: &str) -> String {
    // JSON strings are YAML strings, whatever they contain.
    let quoted =
        |text: &str| Value::from(text).as_str().map(|text| serde_json::Value::from(text).to_string()).unwrap_or_default();
    let mut lines = vec![
        format!("{}:", entry.name),
        "  auth:".to_owned(),
        format!("    auth_url: {}", quoted(&entry.auth_url)),
        format!("    username: {}", quoted(&entry.username)),
        format!("    password: {}", quoted(&entry.password)),
        format!("    project_name: {}", quoted(&entry.project)),
        "    user_domain_name: Default".to_owned(),
        "    project_domain_name: Default".to_owned(),
        format!("  region_name: {}", quoted(&entry.region)),
        "  identity_api_version: 3".to_owned(),
    ];
    if let Some(cacert) = &entry.cacert {
        lines.push(format!("  cacert: {}", quoted(&cacert.to_string_lossy())));
    }
    lines.iter().map(|line| format!("{margin}{line}\n")).collect()
}

fn is_content(line: &str) -> bool {
    let text = line.trim_start();
    !text.is_empty() && !text.starts_with('#')
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn name_of(line: &str) -> &str {
    line.trim().split(':').next().unwrap_or_default().trim_matches(['"', '\''])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(name: &str, password: &str) -> Entry {
        Entry {
            name: name.into(),
            auth_url: "http://127.0.0.1:8080/identity/v3".into(),
            username: "admin".into(),
            password: password.into(),
            project: "admin".into(),
            region: "RegionOne".into(),
            cacert: None,
        }
    }

    const THEIRS: &str = "# mine\nclouds:\n    work:   # keep\n        auth:\n            auth_url: https://x\n    home:\n        profile: y\ncache:\n  expiration_time: 3600\n";

    #[test]
    fn others_stay_as_they_are() {
        let once = merged(THEIRS, &[entry("ferrostack", "a: \"b\"'#"), entry("ferrostack-demo", "x")]).unwrap();
        assert!(once.starts_with("# mine\nclouds:\n    work:   # keep\n"));
        assert!(once.ends_with("cache:\n  expiration_time: 3600\n"));
        let again = merged(&once, &[entry("ferrostack", "a: \"b\"'#"), entry("ferrostack-demo", "x")]).unwrap();
        assert_eq!(once, again);
        let changed = merged(&once, &[entry("ferrostack", "new")]).unwrap();
        assert!(changed.contains("\"new\"") && changed.contains("ferrostack-demo") && changed.contains("# keep"));
    }

    #[test]
    fn a_new_file() {
        let text = merged("", &[entry("ferrostack", "x")]).unwrap();
        assert!(text.starts_with("clouds:\n  ferrostack:\n"));
    }

    #[test]
    fn what_cannot_be_merged_is_left_alone() {
        assert!(merged("clouds: {a: {b: c}}\n", &[entry("ferrostack", "x")]).is_err());
        assert!(merged("clouds:\n  - a\n", &[entry("ferrostack", "x")]).is_err());
    }
}

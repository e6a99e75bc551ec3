// SPDX-License-Identifier: Apache-2.0
//! Puts our entries into `clouds.yaml`, takes them out again, and leaves all others as they are, comments included.
//!
//! The file belongs to the user, so it is edited as text: the block of one entry is exchanged, or added at the end of
//! `clouds:`. If the outcome would not read as it should (a file in flow style, say), the file is left alone.
//!
//! Several clouds of a host share the file. Each entry of ours says in a comment whose it is, and a cloud whose names are
//! another's takes names with its tag.

use std::{
    fs,
    io::Write,
    ops::Range,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_yaml_ng::Value;

use crate::home::Home;

pub struct Entry {
    pub name: String,
    /// The state directory of the cloud that it leads to.
    pub home: PathBuf,
    pub auth_url: String,
    pub username: String,
    pub password: String,
    pub project: String,
    pub region: String,
    pub cacert: Option<PathBuf>,
}

/// What the operator and the first tenant call a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    pub admin: String,
    pub demo: String,
}

/// Says whose an entry is; the state directory follows.
const MARK: &str = "# of the cloud in ";

impl Names {
    fn of_the_first() -> Self {
        Self { admin: "ferrostack".to_owned(), demo: "ferrostack-demo".to_owned() }
    }

    fn of_another(home: &Home) -> Self {
        let tag = home.tag();
        Self { admin: format!("ferrostack-{tag}"), demo: format!("ferrostack-{tag}-demo") }
    }
}

/// `~/.config/openstack/clouds.yaml`
pub fn path() -> PathBuf {
    let base = std::env::var_os("XDG_CONFIG_HOME").filter(|base| !base.is_empty()).map(PathBuf::from);
    let base = base.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".config"));
    base.join("openstack/clouds.yaml")
}

/// A file as it is, and what our cloud is called in it.
pub struct CloudsYaml {
    path: PathBuf,
    text: String,
    parsed: Value,
}

impl CloudsYaml {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let parsed = parse(&text).with_context(|| format!("understand {}", path.display()))?;
        Ok(Self { path: path.to_owned(), text, parsed })
    }

    /// How this cloud is called here: as it was, else plainly, unless another cloud or the user has these names.
    pub fn names(&self, home: &Home, auth_url: &str) -> Names {
        let (first, another) = (Names::of_the_first(), Names::of_another(home));
        let had = [&another.admin, &another.demo].into_iter().any(|name| self.is_marked_with(name, &home.state));
        let is_free = |name: &str, user: &str| !self.has(name) || self.is_of(name, user, home, auth_url);
        if !had && is_free(&first.admin, "admin") && is_free(&first.demo, "demo") { first } else { another }
    }

    /// The password in an entry that leads to this cloud already.
    pub fn kept_password(&self, name: &str, user: &str, home: &Home, auth_url: &str) -> Option<String> {
        let is_ours = self.mark(name).map_or_else(|| self.is_of(name, user, home, auth_url), |marked| marked == home.state);
        self.password_of(name).filter(|_| is_ours)
    }

    fn password_of(&self, name: &str) -> Option<String> {
        self.parsed["clouds"][name]["auth"]["password"].as_str().map(str::to_owned)
    }

    pub fn has(&self, name: &str) -> bool {
        !self.parsed["clouds"][name].is_null()
    }

    /// Returns whether the file had to be changed.
    pub fn merge(&self, entries: &[Entry]) -> anyhow::Result<bool> {
        let new = merged(&self.text, entries).with_context(|| format!("merge our entries into {}", self.path.display()))?;
        self.replace_by(&new)
    }

    /// Takes the entries of a cloud out. Returns whether there were any.
    pub fn remove(&self, home: &Home, auth_url: &str) -> anyhow::Result<bool> {
        let (first, another) = (Names::of_the_first(), Names::of_another(home));
        let ours = [(first.admin, "admin"), (first.demo, "demo"), (another.admin, "admin"), (another.demo, "demo")];
        let ours = ours.into_iter().filter(|(name, user)| self.has(name) && self.is_of(name, user, home, auth_url));
        let names: Vec<String> = ours.map(|(name, _)| name).collect();
        let new = without(&self.text, &names).with_context(|| format!("take our entries out of {}", self.path.display()))?;
        if new.lines().any(is_content) || new == self.text {
            return self.replace_by(&new);
        }
        // We had made it.
        fs::remove_file(&self.path).with_context(|| format!("remove {}", self.path.display()))?;
        Ok(true)
    }

    /// Whether an entry leads to this cloud. Those of earlier builds bear no mark; one that bears the mark of a cloud that is
    /// gone is nobody's.
    fn is_of(&self, name: &str, user: &str, home: &Home, auth_url: &str) -> bool {
        if let Some(marked) = self.mark(name) {
            return marked == home.state || !marked.exists();
        }
        let auth = &self.parsed["clouds"][name]["auth"];
        auth["auth_url"].as_str() == Some(auth_url) && auth["username"].as_str() == Some(user)
    }

    fn is_marked_with(&self, name: &str, state: &Path) -> bool {
        self.mark(name).is_some_and(|marked| marked == state)
    }

    fn mark(&self, name: &str) -> Option<PathBuf> {
        let lines: Vec<&str> = self.text.lines().collect();
        let block = Clouds::find(&lines).ok()??.entry(&lines, name)?;
        lines[block].iter().find_map(|line| line.trim().strip_prefix(MARK)).map(PathBuf::from)
    }

    fn replace_by(&self, new: &str) -> anyhow::Result<bool> {
        if new == self.text {
            return Ok(false);
        }
        let path = &self.path;
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
}

fn parse(text: &str) -> anyhow::Result<Value> {
    if text.trim().is_empty() { Ok(Value::Null) } else { serde_yaml_ng::from_str(text).context("it is not valid YAML") }
}

fn merged(old: &str, entries: &[Entry]) -> anyhow::Result<String> {
    let mut text = old.to_owned();
    for entry in entries {
        text = with_entry(&text, entry)?;
    }
    // The proof of the pudding: all that was there is there, and ours reads as it should.
    let is = parse(&text).context("the merged text")?;
    for entry in entries {
        if is["clouds"][entry.name.as_str()]["auth"]["password"].as_str() != Some(entry.password.as_str()) {
            bail!("it is written in a style that cannot be added to; write its entries in block style");
        }
    }
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    others_are_kept(&parse(old)?, &is, &names)?;
    Ok(text)
}

fn without(old: &str, names: &[String]) -> anyhow::Result<String> {
    let mut text = old.to_owned();
    for name in names {
        let lines: Vec<&str> = text.lines().collect();
        let Some(clouds) = Clouds::find(&lines)? else { break };
        let Some(block) = clouds.entry(&lines, name) else { continue };
        let mut left = [&lines[..block.start], &lines[block.end..]].concat();
        // A list that is empty would be none, which not every client takes.
        let is_empty = !left[clouds.header + 1..clouds.end - block.len()].iter().any(|line| is_content(line));
        if is_empty {
            left.remove(clouds.header);
        }
        text = left.iter().map(|line| format!("{line}\n")).collect();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is = parse(&text).context("the text without them")?;
    if names.iter().any(|name| !is["clouds"][*name].is_null()) {
        bail!("it is written in a style that cannot be taken from; remove {} by hand", names.join(" and "));
    }
    others_are_kept(&parse(old)?, &is, &names)?;
    Ok(text)
}

fn others_are_kept(was: &Value, is: &Value, ours: &[&str]) -> anyhow::Result<()> {
    for (name, value) in was["clouds"].as_mapping().into_iter().flatten() {
        if !name.as_str().is_some_and(|name| ours.contains(&name)) && is["clouds"][name] != *value {
            bail!("the entry {name:?} would change");
        }
    }
    Ok(())
}

/// Where in the lines of a file the entries are.
struct Clouds {
    header: usize,
    /// Before the next line that is not indented.
    end: usize,
    /// How far entries are indented.
    inner: usize,
}

impl Clouds {
    fn find(lines: &[&str]) -> anyhow::Result<Option<Self>> {
        let Some(header) = lines.iter().position(|line| line.trim_end() == "clouds:") else {
            if lines.iter().any(|line| line.starts_with("clouds")) {
                bail!("its `clouds` is not in block style");
            }
            return Ok(None);
        };
        let end = lines[header + 1..].iter().position(|line| is_content(line) && indent(line) == 0);
        let end = end.map_or(lines.len(), |at| header + 1 + at);
        let inner = lines[header + 1..end].iter().find(|line| is_content(line)).map_or(2, |line| indent(line));
        Ok(Some(Self { header, end, inner }))
    }

    /// The lines of an entry.
    fn entry(&self, lines: &[&str], name: &str) -> Option<Range<usize>> {
        let is_header = |line: &&str| is_content(line) && indent(line) == self.inner && name_of(line) == name;
        let from = lines[self.header + 1..self.end].iter().position(is_header).map(|at| self.header + 1 + at)?;
        let next = lines[from + 1..self.end].iter().position(|line| is_content(line) && indent(line) <= self.inner);
        Some(from..next.map_or(self.end, |at| from + 1 + at))
    }
}

fn with_entry(text: &str, entry: &Entry) -> anyhow::Result<String> {
    let lines: Vec<&str> = text.lines().collect();
    let Some(clouds) = Clouds::find(&lines)? else {
        let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{separator}clouds:\n{}", block(entry, "  ")));
    };
    let range = clouds.entry(&lines, &entry.name).unwrap_or(clouds.end..clouds.end);
    let whole = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let margin = " ".repeat(clouds.inner);
    Ok(whole(&lines[..range.start]) + &block(entry, &margin) + &whole(&lines[range.end..]))
}

fn block(entry: &Entry, margin: &str) -> String {
    // JSON strings are YAML strings, whatever they contain.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = vec![
        format!("{}:", entry.name),
        format!("  {MARK}{}", entry.home.display()),
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
mod tests;

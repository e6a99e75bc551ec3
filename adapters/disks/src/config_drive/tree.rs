// SPDX-License-Identifier: Apache-2.0
//! Files by path, as the directories that an ISO image is made of.

use std::collections::BTreeMap;

use super::Files;
use crate::Result;
use crate::error::Error;

pub(super) struct Tree<'a> {
    /// Level by level, each one's children in the order of their names: the order of an ISO path table.
    pub directories: Vec<Directory>,
    pub files: Vec<&'a [u8]>,
}

#[derive(Default)]
pub(super) struct Directory {
    pub parent: usize,
    /// Sorted by name.
    pub entries: Vec<Entry>,
}

pub(super) struct Entry {
    pub name: String,
    pub kind: Kind,
}

/// What an entry is, by its place in the tree's lists.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Directory(usize),
    File(usize),
}

#[derive(Default)]
struct Draft<'a> {
    directories: BTreeMap<&'a str, Draft<'a>>,
    files: BTreeMap<&'a str, &'a [u8]>,
}

impl<'a> Tree<'a> {
    pub fn of(files: &'a Files) -> Result<Self> {
        let mut root = Draft::default();
        for (path, content) in files {
            let mut draft = &mut root;
            let mut names = path.split('/').peekable();
            while let Some(name) = names.next() {
                let taken =
                    if names.peek().is_some() { draft.files.contains_key(name) } else { draft.directories.contains_key(name) };
                if taken {
                    return Err(Error::Unusable(format!("{path} is both a file and a directory")));
                }
                if names.peek().is_none() {
                    draft.files.insert(name, content);
                    break;
                }
                draft = draft.directories.entry(name).or_default();
            }
        }
        Ok(Self::level_by_level(root))
    }

    fn level_by_level(root: Draft<'a>) -> Self {
        let mut tree = Self { directories: vec![Directory::default()], files: Vec::new() };
        let mut level = vec![(0, root)];
        while !level.is_empty() {
            let mut next = Vec::new();
            for (at, draft) in level {
                let mut entries = Vec::new();
                for (name, child) in draft.directories {
                    let number = tree.directories.len();
                    tree.directories.push(Directory { parent: at, entries: Vec::new() });
                    entries.push(Entry { name: name.into(), kind: Kind::Directory(number) });
                    next.push((number, child));
                }
                for (name, content) in draft.files {
                    entries.push(Entry { name: name.into(), kind: Kind::File(tree.files.len()) });
                    tree.files.push(content);
                }
                entries.sort_by(|one, other| one.name.cmp(&other.name));
                tree.directories[at].entries = entries;
            }
            level = next;
        }
        tree
    }
}

// SPDX-License-Identifier: Apache-2.0
//! That the first things of a cloud were made: once, and from then on they are their owner's. What he deletes stays deleted,
//! and the password that he changes is his. Before that, a run that was interrupted is taken up where it ended.

use std::{fs, path::PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use work::durable;

use super::demo::Machine;
use crate::{client::Client, home::Home};

/// What is kept about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstThings {
    /// False while they are being made.
    pub made: bool,
    /// The machine; not known of a cloud whose first things an earlier build made.
    pub server: Option<String>,
    /// Whether it serves a page from a volume.
    #[serde(default)]
    pub page: bool,
    /// The path of an object that everybody may read.
    #[serde(default)]
    pub object: Option<String>,
}

impl FirstThings {
    pub fn read(home: &Home) -> anyhow::Result<Self> {
        let path = path(home);
        match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).with_context(|| format!("understand {}", path.display())),
            // Earlier builds kept no note. This key was among the last that they made.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { made: home.secret("demo-key").exists(), server: None, page: false, object: None })
            }
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// To be called before the first of them is made, and after the last.
    pub fn keep(&self, home: &Home) -> anyhow::Result<()> {
        let path = path(home);
        durable::write(&path, &serde_json::to_vec(self)?).with_context(|| format!("write {}", path.display()))
    }
}

/// The first machine as it is now, if its owner has kept it.
pub async fn machine(admin: &Client, things: &FirstThings) -> Option<Machine> {
    let server = admin.get(&format!("/compute/v2.1/servers/{}", things.server.as_deref()?)).await.ok()?;
    let addresses = server["server"]["addresses"].as_object()?.values().filter_map(|of| of.as_array()).flatten();
    let of_kind = |kind: &str| {
        let found = addresses.clone().find(|address| address["OS-EXT-IPS:type"] == kind)?;
        found["addr"].as_str().map(str::to_owned)
    };
    let id = things.server.clone()?;
    Some(Machine {
        id,
        name: server["server"]["name"].as_str()?.to_owned(),
        fixed: of_kind("fixed")?,
        floating: of_kind("floating")?,
    })
}

fn path(home: &Home) -> PathBuf {
    home.state.join("first-things.json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        home.ensure().unwrap();
        (folder, home)
    }

    #[test]
    fn the_first_things_are_made_once_also_when_it_takes_two_runs() {
        let (_folder, home) = home();
        let begun = FirstThings::read(&home).unwrap();
        assert!(!begun.made);
        begun.keep(&home).unwrap();
        // The first run was killed when the key was there, and the machine not yet.
        fs::write(home.secret("demo-key"), "key").unwrap();
        assert!(!FirstThings::read(&home).unwrap().made, "a run that was interrupted goes on");
        let made = FirstThings { made: true, server: Some("id".to_owned()), page: true, object: Some("/o".to_owned()) };
        made.keep(&home).unwrap();
        assert_eq!(FirstThings::read(&home).unwrap(), made);
    }

    #[test]
    fn what_an_earlier_build_noted_is_understood() {
        let (_folder, home) = home();
        fs::write(path(&home), r#"{"made": true, "server": "id"}"#).unwrap();
        let things = FirstThings::read(&home).unwrap();
        assert_eq!((things.page, things.object), (false, None), "its machine has no page, and nothing says it had");
    }

    #[test]
    fn a_cloud_of_an_earlier_build_has_its_first_things() {
        let (_folder, home) = home();
        fs::write(home.secret("demo-key"), "key").unwrap();
        let found = FirstThings::read(&home).unwrap();
        assert!(found.made);
        found.keep(&home).unwrap();
        fs::remove_file(home.secret("demo-key")).unwrap();
        assert!(FirstThings::read(&home).unwrap().made, "it is noted");
    }
}

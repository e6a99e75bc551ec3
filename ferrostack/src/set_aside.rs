// SPDX-License-Identifier: Apache-2.0
//! `ferrostack set-aside`: the operator's word that a database is lost for good. What it left goes into a folder of its own,
//! and nothing of it is deleted.

use std::fs;

use anyhow::{Context, bail};
use clap::Args;
use types::Timestamp;

use crate::{
    daemons,
    home::Home,
    say::{self, say},
};

#[derive(Args)]
pub struct Arguments {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[cfg(test)]
impl Arguments {
    pub fn without_asking() -> Self {
        Self { yes: true }
    }
}

/// What makes no sense without the database. Machines stay where they are: those that run go on running, and the new cloud
/// lists them as strays.
const LEFT: &[&str] = &[
    "ferrostack.db",
    "ferrostack.db-wal",
    "ferrostack.db-shm",
    "database.json",
    "secrets",
    "fleet",
    "images",
    "objects",
    "node/identity",
];

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    for role in ["controller", "node"] {
        if let Some(running) = daemons::running(home, role) {
            bail!("the {role} of this cloud runs (pid {}): stop it first with `ferrostack down`; machines run on", running.pid);
        }
    }
    let left: Vec<&str> = LEFT.iter().copied().filter(|name| home.state.join(name).exists()).collect();
    if left.is_empty() {
        say!("There is nothing to set aside in {}.", home.state.display());
        return Ok(());
    }
    if !arguments.yes {
        say::piece(&format!(
            "This begins the cloud in {} anew: its users, networks, images and servers are known no more, though nothing is \
             deleted. Type its path to go on: ",
            home.state.display()
        ));
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        if line.trim() != home.state.to_string_lossy() {
            bail!("nothing was moved");
        }
    }
    let folder = home.state.join(format!("set-aside-{}", Timestamp::now().zulu_micros().replace([':', '.'], "-")));
    for name in left {
        let to = folder.join(name);
        let above = to.parent().unwrap_or(&folder);
        fs::create_dir_all(above).with_context(|| format!("make {}", above.display()))?;
        fs::rename(home.state.join(name), &to).with_context(|| format!("move {name} to {}", to.display()))?;
    }
    say!(
        "What was left is in {}. `ferrostack up` begins an empty cloud; the other hosts join it anew. Machines that run go on \
         running: `ferrostack strays` lists them.",
        folder.display()
    );
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_moved_and_not_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        for (name, text) in
            [("secrets/fernet-keys/0", "key"), ("images/file/blob", "data"), ("node/machines/m/root.qcow2", "disk")]
        {
            let path = home.state.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        run(&home, &Arguments::without_asking()).unwrap();
        let aside = fs::read_dir(&home.state)
            .unwrap()
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().starts_with("set-aside-"));
        let aside = aside.unwrap().path();
        assert_eq!(fs::read_to_string(aside.join("images/file/blob")).unwrap(), "data");
        assert_eq!(fs::read_to_string(aside.join("secrets/fernet-keys/0")).unwrap(), "key");
        assert!(!home.state.join("images").exists() && !home.state.join("secrets").exists());
        assert_eq!(fs::read_to_string(home.state.join("node/machines/m/root.qcow2")).unwrap(), "disk");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Where `./up` puts what it has built, for all clouds of a host.
//!
//! ```text
//!   /usr/local/bin/ferrostack ──▶ /usr/local/lib/ferrostack/BUILD/ferrostack       the newest
//!                                 /usr/local/lib/ferrostack/BUILD/ferrostack.debug
//!                                 /usr/local/lib/ferrostack/clouds/TAG             the state directory of each cloud
//! ```
//!
//! Each build has a folder of its own, so that roles which run go on from theirs when a newer one comes, and the link is
//! exchanged in one step. A build goes when it is not the newest and nothing runs from it; the last cloud that is destroyed takes
//! everything away. A binary that lies elsewhere (a package's, a developer's) has no installation, and nothing is done.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use work::durable;

use crate::home::Home;

pub struct Installation {
    folder: PathBuf,
    /// The link in PATH.
    link: PathBuf,
}

/// The link's place is in here, since whoever installs says where it is.
const LINK: &str = "link";
const CLOUDS: &str = "clouds";
const PROGRAM: &str = "ferrostack";

impl Installation {
    /// The one that this binary runs from.
    pub fn own() -> Option<Self> {
        Self::of(&std::env::current_exe().ok()?)
    }

    fn of(program: &Path) -> Option<Self> {
        let folder = program.parent()?.parent()?.to_owned();
        let link = fs::read_to_string(folder.join(LINK)).ok()?;
        Some(Self { folder, link: link.trim_end().into() })
    }

    /// How a unit, or a shell, calls the newest build.
    pub fn link(&self) -> Option<&Path> {
        self.owns_link().then_some(&*self.link)
    }

    /// Notes that this cloud is there.
    pub fn enter(&self, home: &Home) -> anyhow::Result<()> {
        let clouds = self.folder.join(CLOUDS);
        fs::create_dir_all(&clouds).with_context(|| format!("make {}", clouds.display()))?;
        let note = clouds.join(home.tag());
        durable::write(&note, home.state.as_os_str().as_encoded_bytes()).with_context(|| format!("write {}", note.display()))
    }

    /// Drops builds that nothing needs any more.
    pub fn tidy(&self) -> anyhow::Result<()> {
        self.drop_unused_builds(&running_programs())
    }

    /// Notes that this cloud is gone. After the last one everything of ours goes; a link that somebody else has put there stays.
    pub fn leave(&self, home: &Home) -> anyhow::Result<bool> {
        let note = self.folder.join(CLOUDS).join(home.tag());
        durable::remove_file(&note).with_context(|| format!("remove {}", note.display()))?;
        if self.has_clouds()? {
            return Ok(false);
        }
        if self.owns_link() {
            durable::remove_file(&self.link).with_context(|| format!("remove {}", self.link.display()))?;
        }
        durable::remove_dir(&self.folder).with_context(|| format!("remove {}", self.folder.display()))?;
        Ok(true)
    }

    fn owns_link(&self) -> bool {
        fs::read_link(&self.link).is_ok_and(|target| target.starts_with(&self.folder))
    }

    /// One whose state is gone was not destroyed by us, and is none any more.
    fn has_clouds(&self) -> anyhow::Result<bool> {
        let clouds = self.folder.join(CLOUDS);
        let notes = match fs::read_dir(&clouds) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            notes => notes.with_context(|| format!("list {}", clouds.display()))?,
        };
        for note in notes {
            let state = fs::read_to_string(note?.path())?;
            if Path::new(&state).exists() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn drop_unused_builds(&self, running: &[PathBuf]) -> anyhow::Result<()> {
        let newest = fs::read_link(&self.link).unwrap_or_default();
        let own = std::env::current_exe().unwrap_or_default();
        for entry in fs::read_dir(&self.folder).with_context(|| format!("list {}", self.folder.display()))? {
            let build = entry?.path();
            let is_needed = |program: &Path| program.starts_with(&build);
            let is_build = build.join(PROGRAM).is_file();
            if is_build && !is_needed(&newest) && !is_needed(&own) && !running.iter().any(|program| is_needed(program)) {
                durable::remove_dir(&build).with_context(|| format!("remove {}", build.display()))?;
            }
        }
        Ok(())
    }
}

/// The programs of all processes of this host.
fn running_programs() -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path().join("exe")).ok()).collect()
}

/// How a shell calls this binary, for a line that somebody copies: by its name where that leads here.
pub fn command() -> String {
    let own = std::env::current_exe().unwrap_or_else(|_| PROGRAM.into());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|program| program.is_file());
    match first.and_then(|program| program.canonicalize().ok()) {
        Some(first) if first == own.canonicalize().unwrap_or_else(|_| own.clone()) => PROGRAM.to_owned(),
        _ => own.display().to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Host {
        folder: tempfile::TempDir,
    }

    impl Host {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// As `./up` does.
        fn install(&self, build: &str) -> Installation {
            let folder = self.path("lib").join(build);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(PROGRAM), build).unwrap();
            fs::write(self.path("lib").join(LINK), format!("{}\n", self.path("bin").display())).unwrap();
            let _ = fs::remove_file(self.path("bin"));
            symlink(folder.join(PROGRAM), self.path("bin")).unwrap();
            Installation::of(&folder.join(PROGRAM)).unwrap()
        }

        fn home(&self, name: &str) -> Home {
            let home = Home::at(self.path(name));
            home.ensure().unwrap();
            home
        }
    }

    #[test]
    fn the_last_cloud_takes_the_installation_away() {
        let host = Host::new();
        let installed = host.install("a");
        let (one, two) = (host.home("one"), host.home("two"));
        installed.enter(&one).unwrap();
        installed.enter(&two).unwrap();
        assert!(!installed.leave(&one).unwrap(), "another cloud is there");
        assert!(installed.link().is_some());
        assert!(installed.leave(&two).unwrap());
        assert!(!host.path("lib").exists() && fs::symlink_metadata(host.path("bin")).is_err());
    }

    #[test]
    fn a_command_of_somebody_else_stays() {
        let host = Host::new();
        let installed = host.install("a");
        let home = host.home("one");
        installed.enter(&home).unwrap();
        fs::remove_file(host.path("bin")).unwrap();
        fs::write(host.path("bin"), "theirs").unwrap();
        assert!(installed.link().is_none());
        installed.leave(&home).unwrap();
        assert_eq!(fs::read_to_string(host.path("bin")).unwrap(), "theirs");
    }

    #[test]
    fn a_build_stays_for_as_long_as_something_runs_from_it() {
        let host = Host::new();
        host.install("a");
        let installed = host.install("b");
        fs::create_dir_all(host.path("lib/clouds")).unwrap();
        installed.drop_unused_builds(&[host.path("lib/a").join(PROGRAM)]).unwrap();
        assert!(host.path("lib/a").exists() && host.path("lib/b").exists());
        installed.drop_unused_builds(&[]).unwrap();
        assert!(!host.path("lib/a").exists() && host.path("lib/b").exists() && host.path("lib/clouds").exists());
    }

    #[test]
    fn a_binary_that_nobody_installed_has_no_installation() {
        assert!(Installation::own().is_none());
        assert!(!command().is_empty());
    }
}

// SPDX-License-Identifier: Apache-2.0
//! `qemu-img` on untrusted images, confined.
//!
//! An image that was judged can still be made to exhaust or to exploit its reader. So the reader is an unprivileged
//! user without network, with little memory and time, that has exactly the files it works on; and it is always
//! told the format. It gets its files open, and names them by number: it needs no way to the directories they are in.

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout, Command};

use crate::error::{Doing, Error};
use crate::overlay::Base;
use crate::{Format, Result, durable, sys};

const QEMU_IMG: &str = "qemu-img";

/// What `qemu-img` says beyond this is not kept.
const LONGEST_SPEECH: u64 = 4000;

/// Who works in the cage, and how much it may use.
#[derive(Debug, Clone)]
pub struct Cage {
    pub uid: u32,
    pub gid: u32,
    pub memory: u64,
    pub cpu: Duration,
    pub deadline: Duration,
}

/// A file with its format.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    pub path: &'a Path,
    pub format: Format,
}

impl Cage {
    /// A cage of the usual size for a user that owns nothing else.
    pub fn new(uid: u32, gid: u32) -> Self {
        Self { uid, gid, memory: 1 << 30, cpu: Duration::from_secs(30), deadline: Duration::from_secs(600) }
    }

    /// Time to work on a disk of so many bytes: a fixed share, and a second for each 32 MiB.
    pub fn for_size(mut self, bytes: u64) -> Self {
        self.cpu += Duration::from_secs(bytes >> 25);
        self.deadline += Duration::from_secs(bytes >> 23);
        self
    }

    /// Rewrites an image in another format, durably. `progress` hears fractions from 0 to 1.
    ///
    /// The source is opened up to the cage's user if it cannot read it, by giving it the file.
    pub async fn convert(&self, from: Image<'_>, to: Image<'_>, progress: impl FnMut(f32)) -> Result<()> {
        let partial = Partial(durable::partial_name(to.path)?);
        let source = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(from.path);
        let source = source.doing(|| format!("open {}", from.path.display()))?;
        self.give(&source).doing(|| format!("give {} to the cage", from.path.display()))?;
        let target = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&partial.0);
        let target = target.doing(|| format!("make {}", partial.0.display()))?;
        self.give(&target).doing(|| format!("give {} to the cage", partial.0.display()))?;

        let arguments = ["convert", "-p", "-f", driver(from.format)?, "-O", driver(to.format)?];
        self.run(&arguments, &[&source, &target], progress).await.map_err(|error| error.of_disk(to.path))?;
        fchown(&target, Some(0), Some(0)).doing(|| format!("take {} back", partial.0.display()))?;
        let path = to.path.to_owned();
        let publish = move || {
            target.sync_all().doing(|| format!("sync {}", partial.0.display()))?;
            durable::publish(&partial.0, &path)
        };
        tokio::task::spawn_blocking(publish).await.map_err(|error| Error::Unusable(error.to_string()))?
    }

    /// Copies what a chain of layers reads as, the lowest of which comes first, into one file that rests on nothing, durably. The
    /// layers must be frozen, and readable by everybody who gets them.
    pub async fn flatten(&self, layers: &[Image<'_>], to: &Path, progress: impl FnMut(f32)) -> Result<()> {
        let partial = Partial(durable::partial_name(to)?);
        let mut files = Vec::new();
        let mut source = String::from("null");
        for layer in layers {
            let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(layer.path);
            let file = file.doing(|| format!("open {}", layer.path.display()))?;
            source = node_of(&file, layer.format, &source)?;
            files.push(file);
        }
        let target = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&partial.0);
        let target = target.doing(|| format!("make {}", partial.0.display()))?;
        self.give(&target).doing(|| format!("give {} to the cage", partial.0.display()))?;
        let arguments = ["convert", "-p", "-O", "qcow2"];
        let into = format!("/proc/self/fd/{}", target.as_raw_fd());
        let inherited: Vec<&File> = files.iter().chain([&target]).collect();
        let last = [format!("json:{source}"), into];
        self.run_on(&arguments, &inherited, &[&last[0], &last[1]], progress).await.map_err(|error| error.of_disk(to))?;
        fchown(&target, Some(0), Some(0)).doing(|| format!("take {} back", partial.0.display()))?;
        let path = to.to_owned();
        let publish = move || {
            target.sync_all().doing(|| format!("sync {}", partial.0.display()))?;
            durable::publish(&partial.0, &path)
        };
        tokio::task::spawn_blocking(publish).await.map_err(|error| Error::Unusable(error.to_string()))?
    }

    /// Makes a disk larger, durably. What is as large already stays as it is: what lies behind a shorter end would be lost.
    pub async fn grow(&self, disk: Image<'_>, size: u64) -> Result<()> {
        let growing = || format!("make {} larger", disk.path.display());
        if (Base { path: disk.path, format: disk.format }).virtual_size()? >= size {
            return Ok(());
        }
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(disk.path).doing(growing)?;
        self.give(&file).doing(growing)?;
        let arguments = ["resize", "-f", driver(disk.format)?];
        self.run_with(&arguments, &[&file], &[&size.to_string()], |_| ()).await.map_err(|error| error.of_disk(disk.path))?;
        let synced = tokio::task::spawn_blocking(move || file.sync_all()).await;
        synced.map_err(|error| Error::Unusable(error.to_string()))?.doing(growing)
    }

    /// Whether `qemu-img` is there and runs in this cage.
    pub async fn check(&self) -> Result<()> {
        self.run(&["--version"], &[], |_| ()).await
    }

    fn give(&self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.uid), Some(self.gid))
    }

    /// Runs `qemu-img` with `arguments` and then the names of `files`, in the cage.
    async fn run(&self, arguments: &[&str], files: &[&File], progress: impl FnMut(f32)) -> Result<()> {
        self.run_with(arguments, files, &[], progress).await
    }

    /// With what comes after the files.
    async fn run_with(&self, arguments: &[&str], files: &[&File], last: &[&str], progress: impl FnMut(f32)) -> Result<()> {
        let names: Vec<String> = files.iter().map(|file| format!("/proc/self/fd/{}", file.as_raw_fd())).collect();
        let last: Vec<&str> = names.iter().map(String::as_str).chain(last.iter().copied()).collect();
        self.run_on(arguments, files, &last, progress).await
    }

    /// With files that `last` names.
    async fn run_on(&self, arguments: &[&str], files: &[&File], last: &[&str], progress: impl FnMut(f32)) -> Result<()> {
        let inherited: Vec<RawFd> = files.iter().map(|file| file.as_raw_fd()).collect();
        let mut command = Command::new(QEMU_IMG);
        command.args(arguments).args(last);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir("/").kill_on_drop(true);
        let cage = self.clone();
        sys::before_exec(&mut command, move || cage.enter(&inherited));

        let mut child = command.spawn().doing(|| format!("start {QEMU_IMG}"))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let work = async {
            let ((), said) = tokio::join!(report(stdout, progress), listen(stderr));
            let exit = child.wait().await.doing(|| format!("wait for {QEMU_IMG}"))?;
            Ok((exit, said))
        };
        let (exit, said) = match tokio::time::timeout(self.deadline, work).await {
            Ok(ended) => ended?,
            Err(_) => return Err(Error::Deadline(self.deadline)),
        };
        if exit.success() { Ok(()) } else { Err(Error::QemuImg { exit: exit.to_string(), said }) }
    }

    /// Runs in the child: system calls only.
    fn enter(&self, inherited: &[RawFd]) -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC)?;
        setrlimit(Resource::RLIMIT_AS, self.memory, self.memory)?;
        setrlimit(Resource::RLIMIT_CPU, self.cpu.as_secs(), self.cpu.as_secs() + 1)?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        setgroups(&[])?;
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
        nix::sys::prctl::set_no_new_privs()?;
        // With us dead nobody keeps its deadline. Only now: to become another user clears it.
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        for fd in inherited {
            fcntl(sys::borrow(*fd), FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(())
    }
}

/// What is half done is of no use to anybody: it goes, also when nobody waits for the end any more.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Tidiness; why it came to this is what matters. Once it has its own name there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// QEMU's name of a format that the cage may work on.
fn driver(format: Format) -> Result<&'static str> {
    match format {
        Format::Raw | Format::Iso => Ok("raw"),
        Format::Qcow2 => Ok("qcow2"),
        Format::Vmdk => Ok("vmdk"),
        Format::Vhd => Ok("vpc"),
        Format::Vhdx => Ok("vhdx"),
        Format::Vdi => Ok("vdi"),
        other => Err(Error::Unusable(format!("{other} images are not converted"))),
    }
}

/// A layer as QEMU is told of it: nothing in it is a tenant's, so it needs no escape.
fn node_of(file: &File, format: Format, below: &str) -> Result<String> {
    let (fd, driver) = (file.as_raw_fd(), driver(format)?);
    let backing = if format == Format::Qcow2 { format!(r#","backing":{below}"#) } else { String::new() };
    Ok(format!(r#"{{"driver":"{driver}","file":{{"driver":"file","filename":"/proc/self/fd/{fd}"}}{backing}}}"#))
}

/// Hears `    (12.34/100%)\r` again and again.
async fn report(stdout: Option<ChildStdout>, mut progress: impl FnMut(f32)) {
    let Some(mut stdout) = stdout else { return };
    let mut said = [0; 512];
    while let Ok(1..) = stdout.read(&mut said).await.inspect(|length| {
        if let Some(percent) = last_percentage(&said[..*length]) {
            progress(percent / 100.0);
        }
    }) {}
}

fn last_percentage(said: &[u8]) -> Option<f32> {
    let said = std::str::from_utf8(said).ok()?;
    let (before, _) = said.rsplit_once("/100%")?;
    before.rsplit_once('(')?.1.parse().ok()
}

async fn listen(stderr: Option<ChildStderr>) -> String {
    let Some(stderr) = stderr else { return String::new() };
    let mut stderr = BufReader::new(stderr);
    let mut said = Vec::new();
    // What it says beyond that is read and dropped, so that it does not block on a full pipe.
    let _ = (&mut stderr).take(LONGEST_SPEECH).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).trim().to_owned()
}

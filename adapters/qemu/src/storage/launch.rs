// SPDX-License-Identifier: Apache-2.0
//! From a spec to a daemon that answers. All sockets listen before it is spawned, and are handed to it open.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::{Daemon, DaemonSpec, Entrance, TLS, TlsFiles, spec_error};
use crate::error::{Doing, Error};
use crate::machine::confine::{Confinement, Reach};
use crate::machine::launch::{last_words, search_path};
use crate::machine::process::Process;
use crate::machine::run_dir::open_log;
use crate::qmp::{Qmp, within};
use crate::{Result, RunAs, RunDir, STORAGE_DAEMON, sys};

const START_DEADLINE: Duration = Duration::from_secs(30);
/// The one whose certificate opens the door needs one; a few more may be on their way in or out.
const CONNECTIONS: u32 = 32;
const AUTHORIZED: &str = "peer";

pub(super) async fn launch(spec: DaemonSpec) -> Result<Daemon> {
    let (id, run_dir) = (spec.id, spec.run_dir.clone());
    let spawned = tokio::task::spawn_blocking(move || spawn(&spec)).await;
    let (pid, said_before) = spawned.map_err(|error| spec_error(error.to_string()))??;
    let mut guard = KillUnlessReady(Some(Process::open(pid).doing(|| format!("watch process {pid}"))?));
    let Some(process) = guard.0.as_ref() else { return Err(Error::Closed) };
    let socket = run_dir.qmp_socket();
    let greeting = async {
        let stream = crate::socket::connect(&socket).await.doing(|| format!("connect to {}", socket.display()))?;
        Qmp::converse(stream).await
    };
    let answered = tokio::select! {
        biased;
        answered = within(START_DEADLINE, || "hear from the storage daemon".into(), greeting) => answered,
        _ = process.ended() => Err(Error::Closed),
    };
    let qmp = match answered {
        Err(Error::Closed | Error::Io { .. }) => {
            process.kill()?;
            let exit = process.ended().await?.to_string();
            return Err(Error::DaemonDied { id, exit, said: last_words(&run_dir.log(), said_before) });
        }
        answered => answered?,
    };
    // It has read them: whoever takes it over later finds no key in a file of his.
    remove_dir(&tls_dir(&run_dir))?;
    let process = guard.0.take().ok_or(Error::Closed)?;
    Ok(Daemon::new(process, qmp))
}

struct KillUnlessReady(Option<Process>);

impl Drop for KillUnlessReady {
    fn drop(&mut self) {
        let Some(process) = self.0.take() else { return };
        if let Err(error) = process.kill() {
            tracing::error!(%error, "a storage daemon that did not start is left over");
        }
        tokio::spawn(async move { process.ended().await });
    }
}

fn spawn(spec: &DaemonSpec) -> Result<(i32, u64)> {
    let run_dir = &spec.run_dir;
    run_dir.ensure(spec.run_as)?;
    let lock = run_dir.lock()?.ok_or(Error::AlreadyRunning { id: spec.id })?;
    let qmp = run_dir.listen(&run_dir.qmp_socket())?;
    let log = open_log(&run_dir.log())?;
    let said_before = log.metadata().doing(|| "look at the storage daemon's log".into())?.len();
    if let Some(files) = spec.entrance.files() {
        show(files, run_dir, spec.run_as, matches!(spec.entrance, Entrance::Tls { .. }))?;
    }
    let listener = match &spec.entrance {
        Entrance::None => None,
        Entrance::Tls { listener, .. } => Some(listener.as_raw_fd()),
        Entrance::Machine { listener, .. } => Some(listener.as_raw_fd()),
    };
    let inherited: Vec<RawFd> = [qmp.as_raw_fd(), lock.as_raw_fd()].into_iter().chain(listener).collect();
    let starting = || format!("start {STORAGE_DAEMON} for volume {}", spec.id);
    let reach = if matches!(spec.entrance, Entrance::Machine { .. }) { Reach::Host } else { Reach::Nothing };
    let confinement = Confinement::new(spec.run_as, std::iter::empty(), inherited, reach).doing(starting)?;
    let mut command = Command::new(STORAGE_DAEMON);
    command.args(command_line(spec, qmp.as_raw_fd(), listener)?);
    command.current_dir(run_dir.path()).env_clear().env("PATH", search_path());
    command.stdin(Stdio::null()).stdout(log.try_clone().doing(starting)?).stderr(log);
    sys::before_exec(&mut command, move || confinement.enter());
    let pid = command.spawn().doing(starting)?.id().cast_signed();
    run_dir.record_pid(pid)?;
    Ok((pid, said_before))
}

fn command_line(spec: &DaemonSpec, qmp: RawFd, listener: Option<RawFd>) -> Result<Vec<String>> {
    let own = spec.run_dir.own_pid_file();
    let own = own.to_str().ok_or_else(|| spec_error(format!("{} is not UTF-8", own.display())))?;
    // What an adopter recognises the process by: see `process::find_daemon`.
    let mut line: Vec<String> = vec!["--pidfile".into(), own.into()];
    line.extend(["--chardev".into(), format!("socket,id=qmp,fd={qmp},server=on,wait=off")]);
    line.extend(["--monitor".into(), "chardev=qmp,mode=control".into()]);
    if spec.entrance.files().is_some() {
        let dir = tls_dir(&spec.run_dir);
        let dir = dir.to_str().ok_or_else(|| spec_error(format!("{} is not UTF-8", dir.display())))?;
        let endpoint = if matches!(spec.entrance, Entrance::Tls { .. }) { "server" } else { "client" };
        let object = json!({ "qom-type": "tls-creds-x509", "id": TLS, "dir": dir, "endpoint": endpoint, "verify-peer": true });
        line.extend(["--object".into(), object.to_string()]);
    }
    if let Entrance::Tls { peer, .. } = &spec.entrance {
        let object = json!({ "qom-type": "authz-simple", "id": AUTHORIZED, "identity": format!("CN={peer}") });
        line.extend(["--object".into(), object.to_string()]);
    }
    if let Some(listener) = listener {
        let mut server = json!({ "addr": { "type": "fd", "str": listener.to_string() }, "max-connections": CONNECTIONS });
        if matches!(spec.entrance, Entrance::Tls { .. }) {
            (server["tls-creds"], server["tls-authz"]) = (TLS.into(), AUTHORIZED.into());
        }
        line.extend(["--nbd-server".into(), server.to_string()]);
    }
    Ok(line)
}

/// Whether the daemon that runs there shows this certificate.
pub fn shows(run_dir: &RunDir, files: &TlsFiles) -> bool {
    let shown = fs::read(shown(run_dir)).ok();
    shown.is_some() && shown == fs::read(&files.certificate).ok()
}

fn shown(run_dir: &RunDir) -> PathBuf {
    run_dir.path().join("certificate.pem")
}

fn tls_dir(run_dir: &RunDir) -> PathBuf {
    run_dir.path().join("tls")
}

/// Lets the daemon's user read the files, under the names that QEMU looks for.
fn show(files: &TlsFiles, run_dir: &RunDir, run_as: RunAs, is_server: bool) -> Result<()> {
    let dir = tls_dir(run_dir);
    remove_dir(&dir)?;
    let role = if is_server { "server" } else { "client" };
    let doing = || format!("show the certificate to the storage daemon in {}", dir.display());
    let show = || -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(&dir)?;
        fs::copy(&files.certificate, shown(run_dir))?;
        let names = ["ca-cert.pem".into(), format!("{role}-cert.pem"), format!("{role}-key.pem")];
        for (name, file) in names.iter().zip([&files.authority, &files.certificate, &files.key]) {
            let path = dir.join(name);
            fs::copy(file, &path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o400))?;
            chown(&path, Some(run_as.uid), Some(run_as.gid))?;
        }
        chown(&dir, Some(run_as.uid), Some(run_as.gid))
    };
    show().doing(doing)
}

fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).doing(|| format!("remove {}", dir.display())),
        _ => Ok(()),
    }
}

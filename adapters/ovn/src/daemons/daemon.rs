// SPDX-License-Identifier: Apache-2.0
//! One daemon: how to start it, how to know it again, and how to stop it.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use super::catalogue::{Layout, argument};
use super::control::control;
use super::database::Database;
use super::process::{Running, read_pid_file};
use super::program;
use crate::{Error, Result};

/// A log that has grown beyond this is put aside, in the place of the one before.
pub(super) const LARGE_LOG: u64 = 64 << 20;
/// The longest name that a unix socket may have.
const LONGEST_SOCKET: usize = 107;
/// What a daemon gets after its time to stop is over.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// A daemon as it should run.
#[derive(Clone, Debug)]
pub struct Daemon {
    name: &'static str,
    program: &'static str,
    layout: Layout,
    arguments: Vec<OsString>,
    database: Option<Database>,
    farewell: Farewell,
}

/// How a daemon is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// By a signal.
    Terminate,
    /// By asking: a signal ends ovn-controller without a word to the southbound database, and only an answer can say
    /// whether its chassis and flows should stay.
    Ask,
}

impl Daemon {
    pub(super) fn new(name: &'static str, program: &'static str, layout: &Layout, arguments: Vec<OsString>) -> Self {
        let layout = layout.clone();
        Self { name, program, layout, arguments, database: None, farewell: Farewell::Terminate }
    }

    pub(super) fn with_database(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    pub(super) fn with_farewell(mut self, farewell: Farewell) -> Self {
        self.farewell = farewell;
        self
    }

    /// Its name, unique on a host.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it writes its process number.
    pub fn pid_file(&self) -> PathBuf {
        self.layout.run.join(format!("{}.pid", self.name))
    }

    /// Where it writes what it does.
    pub fn log_file(&self) -> PathBuf {
        self.layout.log.join(format!("{}.log", self.name))
    }

    /// Finds it, if it runs.
    pub fn find(&self) -> Result<Option<Running>> {
        let Some(pid) = read_pid_file(&self.pid_file()) else { return Ok(None) };
        let Some(running) = Running::hold(pid)? else { return Ok(None) };
        let executable = running.executable().unwrap_or_default();
        let executable = executable.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // The name goes on to say so when the file was replaced, as at an upgrade of the package.
        let executable = executable.strip_suffix(" (deleted)").unwrap_or(&executable);
        let ours = executable == self.program && running.command_line().contains(&self.pid_argument());
        Ok((ours && running.lives()).then_some(running))
    }

    /// Makes it run as described: adopts it if it does, restarts it if it runs with other arguments, else starts it.
    pub async fn ensure_running(&self) -> Result<Running> {
        if let Some(running) = self.find()? {
            if running.command_line().get(1..) == Some(self.full_arguments().as_slice()) {
                return Ok(running);
            }
            tracing::info!(daemon = self.name, pid = running.pid(), "restarting with other arguments");
            self.stop(Instant::now() + AFTER_KILL).await?;
        }
        self.make_directories()?;
        if let Some(database) = &self.database {
            database.prepare().await?;
        }
        self.put_aside_log(LARGE_LOG)?;
        let started = program::run(&mut self.command()?).await;
        // Somebody else may have started it at the same moment; then it runs all the same.
        match (self.find()?, started) {
            (Some(running), _) => {
                tracing::info!(daemon = self.name, pid = running.pid(), "started");
                Ok(running)
            }
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(Error::Program {
                program: self.name.to_owned(),
                output: format!("it ended as soon as it had started; see {}", self.log_file().display()),
            }),
        }
    }

    /// Stops it so that it can be started again as if nothing had happened.
    pub async fn stop(&self, deadline: Instant) -> Result<()> {
        self.end(&["--restart"], deadline).await
    }

    /// Stops it for good: ovn-controller takes its chassis out of the cloud.
    pub async fn retire(&self, deadline: Instant) -> Result<()> {
        self.end(&[], deadline).await
    }

    async fn end(&self, exit: &[&str], deadline: Instant) -> Result<()> {
        let Some(running) = self.find()? else { return Ok(()) };
        match self.farewell {
            Farewell::Terminate => running.signal(libc::SIGTERM)?,
            Farewell::Ask => {
                if let Err(error) = control(&self.control_socket(&running), "exit", exit).await {
                    tracing::warn!(daemon = self.name, %error, "it does not listen and is terminated");
                    running.signal(libc::SIGTERM)?;
                }
            }
        }
        self.see_off(running, deadline).await
    }

    async fn see_off(&self, running: Running, deadline: Instant) -> Result<()> {
        if let Ok(ended) = tokio::time::timeout_at(deadline, running.ended()).await {
            return ended;
        }
        tracing::warn!(daemon = self.name, pid = running.pid(), "it does not stop and is killed");
        running.signal(libc::SIGKILL)?;
        let killed = tokio::time::timeout(AFTER_KILL, running.ended()).await;
        killed.unwrap_or_else(|_| Err(Error::DeadlinePassed { what: format!("the end of {}", self.name) }))
    }

    /// The daemon forks itself into the background, and the process we start ends when the daemon serves or has failed.
    fn command(&self) -> Result<Command> {
        let program = program::find(self.program)?;
        let mut command = match &self.layout.netns {
            None => Command::new(program),
            Some(netns) => {
                let mut command = Command::new(program::find("nsenter")?);
                command.arg(argument("--net=", &Path::new("/run/netns").join(netns))).arg("--").arg(program);
                command
            }
        };
        command.args(self.full_arguments());
        for name in ["OVS_RUNDIR", "OVN_RUNDIR"] {
            command.env(name, &self.layout.run);
        }
        for name in ["OVS_DBDIR", "OVN_DBDIR", "OVS_SYSCONFDIR", "OVN_SYSCONFDIR"] {
            command.env(name, &self.layout.db);
        }
        for name in ["OVS_LOGDIR", "OVN_LOGDIR"] {
            command.env(name, &self.layout.log);
        }
        Ok(command)
    }

    fn full_arguments(&self) -> Vec<OsString> {
        let mut arguments = self.arguments.clone();
        arguments.push(self.pid_argument());
        arguments.push(argument("--log-file=", &self.log_file()));
        let fixed = ["--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off", "-vfile:info"];
        arguments.extend(fixed.map(OsString::from));
        arguments
    }

    fn pid_argument(&self) -> OsString {
        argument("--pidfile=", &self.pid_file())
    }

    fn make_directories(&self) -> Result<()> {
        let longest = self.layout.run.join("ovn-controller.4194304.ctl");
        if longest.as_os_str().len() > LONGEST_SOCKET {
            return Err(Error::Malformed {
                row: format!("run directory {}", self.layout.run.display()),
                why: "its name is too long for the sockets in it".to_owned(),
            });
        }
        for directory in [&self.layout.run, &self.layout.db, &self.layout.log] {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(directory);
            made.map_err(|source| Error::File { act: "create", path: directory.clone(), source })?;
        }
        Ok(())
    }

    /// Puts the log aside if it is larger than `most` bytes, and has the daemon begin another.
    pub(super) async fn bound_log(&self, running: &Running, most: u64) -> Result<()> {
        if self.put_aside_log(most)? {
            control(&self.control_socket(running), "vlog/reopen", &[]).await?;
        }
        Ok(())
    }

    fn control_socket(&self, running: &Running) -> PathBuf {
        let given = self.arguments.iter().find_map(|argument| argument.to_str()?.strip_prefix("--unixctl="));
        match given {
            Some(path) => path.into(),
            None => self.layout.run.join(format!("{}.{}.ctl", self.program, running.pid())),
        }
    }

    fn put_aside_log(&self, most: u64) -> Result<bool> {
        let log = self.log_file();
        if std::fs::metadata(&log).is_ok_and(|found| found.len() > most) {
            let aside = log.with_extension("log.old");
            std::fs::rename(&log, &aside).map_err(|source| Error::File { act: "put aside", path: log, source })?;
            return Ok(true);
        }
        Ok(false)
    }
}

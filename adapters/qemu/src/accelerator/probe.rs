// SPDX-License-Identifier: Apache-2.0
//! Plays an operating system's start through under an accelerator, and sees how far it comes.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::broadcast::error::RecvError;

use super::guest;
use crate::error::Doing;
use crate::machine::MACHINE_TYPE;
use crate::qmp::Qmp;
use crate::{EMULATOR, Event, Result, RunState, sys};

/// What the guest does, in order, by the letter that it says when it has done it.
pub(super) const STAGES: [(u8, &str); 13] = [
    (b'R', "the firmware's real mode and disk"),
    (b'P', "protected mode"),
    (b'I', "interrupts and exceptions in protected mode without paging, to their end (iret)"),
    (b'T', "the interval timer's interrupts, waking it from hlt"),
    (b'B', "back to real mode and the firmware"),
    (b'L', "long mode with paging"),
    (b'S', "SSE"),
    (b'F', "page faults"),
    (b'A', "the local APIC's timer"),
    (b'M', "a device in memory (HPET)"),
    (b'D', "a device that interrupts by the I/O APIC (serial port)"),
    (b'C', "a second processor"),
    (b'U', "an unprivileged program with its system calls"),
];

/// What went on when it did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing more happened for so long.
    Hung(Duration),
    /// The guest found a result that a processor does not give.
    Wrong,
    /// The machine reset itself, as after a fault that cannot be handled.
    Reset,
    /// QEMU could not go on, and why.
    Qemu(String),
}

/// How far a start came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Played {
    pub stages: usize,
    pub failure: Option<Failure>,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hung(after) => write!(out, "nothing more happened for {after:?}"),
            Self::Wrong => out.write_str("the processor gave a wrong result"),
            Self::Reset => out.write_str("the machine reset itself"),
            Self::Qemu(said) => write!(out, "QEMU could not go on: {said}"),
        }
    }
}

impl fmt::Display for Played {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |stage: usize| STAGES.get(stage).map_or("its end", |(_, name)| name);
        let Some(failure) = &self.failure else {
            return write!(
                out,
                "an operating system's start was played through in {} stages, from real mode to long mode and an unprivileged \
                 program, with interrupts, paging, SSE, devices and a second processor",
                STAGES.len(),
            );
        };
        match self.stages {
            0 => write!(out, "a guest does not start: {failure}"),
            stages => write!(
                out,
                "an operating system's start breaks off at stage {} of {}, {} (it had come through {}): {failure}",
                stages + 1,
                STAGES.len(),
                name(stages),
                name(stages - 1),
            ),
        }
    }
}

/// Runs the guest until it ends or nothing more happens. The processor is that of real machines: an accelerator may run
/// a plain one and still fail to set up the host's own.
pub(super) async fn play(accelerator: &str, cpu_model: &str, patience: Duration) -> Result<Played> {
    let starting = || format!("start {EMULATOR} to probe {accelerator}");
    let disk = memfd_create(c"probe", MFdFlags::MFD_CLOEXEC).doing(starting)?;
    let mut disk = fs::File::from(disk);
    disk.write_all(&guest::disk()).doing(starting)?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), disk.as_raw_fd());
    let (ours, theirs) = StdUnixStream::pair().doing(starting)?;
    ours.set_nonblocking(true).doing(starting)?;

    let mut command = Command::new(EMULATOR);
    command.args(arguments(accelerator, cpu_model, &path, theirs.as_raw_fd()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let handed = theirs.as_raw_fd();
    sys::before_exec(command.as_std_mut(), move || Ok(fcntl(sys::borrow(handed), FcntlArg::F_SETFD(FdFlag::empty())).map(drop)?));
    let mut child = command.spawn().doing(starting)?;
    drop(theirs);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let qmp = UnixStream::from_std(ours).doing(starting)?;
    Observer { child, stdout, stderr, stages: 0 }.observe(qmp, patience).await
}

fn arguments(accelerator: &str, cpu_model: &str, disk: &str, qmp: i32) -> Vec<String> {
    let file = json!({ "driver": "file", "filename": disk, "read-only": true, "locking": "off" });
    let blockdev = json!({ "driver": "raw", "node-name": "disk0", "read-only": true, "file": file }).to_string();
    let exit = format!("isa-debug-exit,iobase={:#x},iosize=1", guest::EXIT_PORT);
    let say = format!("isa-debugcon,iobase={:#x},chardev=said", guest::SAY_PORT);
    let qmp = format!("socket,id=qmp,fd={qmp}");
    let line = [
        ["-machine", MACHINE_TYPE],
        ["-accel", accelerator],
        ["-cpu", cpu_model],
        ["-smp", "2"],
        ["-m", "16M"],
        ["-display", "none"],
        ["-chardev", &qmp],
        ["-mon", "chardev=qmp,mode=control"],
        ["-blockdev", &blockdev],
        ["-device", "virtio-blk-pci,drive=disk0,bootindex=1,romfile="],
        ["-chardev", "stdio,id=said,signal=off"],
        ["-device", &say],
        ["-chardev", "null,id=line"],
        ["-device", "isa-serial,chardev=line"],
        ["-device", &exit],
    ];
    let flags = ["-nodefaults", "-no-user-config", "-no-reboot"];
    flags.into_iter().chain(line.into_iter().flatten()).map(str::to_owned).collect()
}

struct Observer {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    stages: usize,
}

impl Observer {
    async fn observe(mut self, qmp: UnixStream, patience: Duration) -> Result<Played> {
        let mut stdout = self.stdout.take();
        let halted = halted(qmp);
        tokio::pin!(halted);
        let mut letters = [0; 16];
        let failure = loop {
            tokio::select! {
                biased;
                count = read(stdout.as_mut(), &mut letters) => match count {
                    Some(count) => self.hear(&letters[..count]),
                    // It has ended, or is about to.
                    None => break self.ended(patience).await?,
                },
                // Its process stays; what it says on the way is all that there is to know.
                () = &mut halted => break Some(Failure::Qemu(self.killed().await?)),
                () = tokio::time::sleep(patience) => {
                    let _ = self.killed().await?;
                    break Some(Failure::Hung(patience));
                }
            }
        };
        // Whoever says that he is through without having been everywhere is not.
        let failure = failure.or_else(|| (self.stages < STAGES.len()).then_some(Failure::Wrong));
        Ok(Played { stages: self.stages, failure })
    }

    fn hear(&mut self, letters: &[u8]) {
        for letter in letters {
            if STAGES.get(self.stages).is_some_and(|(next, _)| next == letter) {
                self.stages += 1;
            }
        }
    }

    async fn ended(&mut self, patience: Duration) -> Result<Option<Failure>> {
        let Ok(exit) = tokio::time::timeout(patience, self.child.wait()).await else {
            let _ = self.killed().await?;
            return Ok(Some(Failure::Hung(patience)));
        };
        let exit = exit.doing(|| "wait for the probe".into())?;
        let said = self.said().await;
        Ok(verdict(exit, &said))
    }

    /// Ends it, and answers what it had said.
    async fn killed(&mut self) -> Result<String> {
        self.child.kill().await.doing(|| "end the probe".into())?;
        let said = self.said().await;
        Ok(if said.is_empty() { "it does not say why".into() } else { said })
    }

    /// The first of what QEMU said that is no warning.
    async fn said(&mut self) -> String {
        let mut text = Vec::new();
        if let Some(mut stderr) = self.stderr.take() {
            let _ = stderr.read_to_end(&mut text).await;
        }
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("warning:"));
        lines.next().unwrap_or_default().to_owned()
    }
}

fn verdict(exit: ExitStatus, said: &str) -> Option<Failure> {
    match exit.code() {
        Some(guest::DONE) => None,
        Some(guest::WRONG) => Some(Failure::Wrong),
        Some(0) => Some(Failure::Reset),
        _ => Some(Failure::Qemu(if said.is_empty() { exit.to_string() } else { format!("{exit} ({said})") })),
    }
}

/// None at the end.
async fn read(stdout: Option<&mut ChildStdout>, into: &mut [u8]) -> Option<usize> {
    let count = stdout?.read(into).await.ok()?;
    (count > 0).then_some(count)
}

/// Resolves when QEMU says that its guest cannot go on, and else never.
async fn halted(socket: UnixStream) {
    if let Ok(qmp) = Qmp::converse(socket).await {
        let mut events = qmp.events();
        loop {
            if matches!(qmp.run_state().await, Ok(RunState::InternalError)) {
                return;
            }
            loop {
                match events.recv().await {
                    Ok(Event::Stop) | Err(RecvError::Lagged(_)) => break,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return std::future::pending().await,
                }
            }
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::Accelerator;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_start_is_played_through_every_stage() {
        // TCG works everywhere, so this shows that the guest is right.
        let played = play("tcg", Accelerator::Tcg.cpu_model(), PATIENCE).await.unwrap();
        assert_eq!(played, Played { stages: STAGES.len(), failure: None }, "{played}");
        assert!(played.to_string().contains("was played through in 13 stages"), "{played}");
    }

    #[tokio::test]
    async fn a_start_that_breaks_off_says_at_which_stage() {
        // A processor without long mode: what enters it faults, and the machine resets.
        let played = play("tcg", "max,-lm", PATIENCE).await.unwrap();
        assert_eq!(played, Played { stages: 5, failure: Some(Failure::Reset) }, "{played}");
        assert!(played.to_string().contains("stage 6 of 13, long mode with paging"), "{played}");

        // One without the instruction that programs call by.
        let played = play("tcg", "max,-syscall", PATIENCE).await.unwrap();
        assert!(played.failure.is_some() && played.stages < STAGES.len(), "{played}");
    }

    #[tokio::test]
    async fn an_accelerator_that_does_not_exist_is_a_failure_that_says_so() {
        let played = play("nonsense", "max", PATIENCE).await.unwrap();
        let Some(Failure::Qemu(said)) = &played.failure else { panic!("{played}") };
        assert!(said.contains("nonsense") && played.stages == 0, "{said}");
    }

    /// Only a machine with a KVM can tell; there, whatever the probe says is said within its patience.
    #[tokio::test]
    async fn what_kvm_does_with_a_start_is_known_soon() {
        if !fs::exists("/dev/kvm").unwrap() {
            return;
        }
        let began = std::time::Instant::now();
        let played = play("kvm", Accelerator::Kvm.cpu_model(), PATIENCE).await.unwrap();
        assert!(!matches!(played.failure, Some(Failure::Hung(_))) || began.elapsed() >= PATIENCE, "{played}");
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The client against a real QEMU, and against a peer that means harm.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::json;
use tempfile::TempDir;
use tokio::net::UnixListener;

use super::*;

/// A bare QEMU with a QMP socket, ended with the test.
struct Emulator {
    dir: TempDir,
    process: Child,
}

impl Emulator {
    fn spawn() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(crate::EMULATOR);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-S", "-m", "16M", "-accel", "tcg"]);
        command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", dir.path().join("qmp").display()));
        let process = command.spawn().unwrap();
        Self { dir, process }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("qmp")
    }

    async fn connect(&self) -> Qmp {
        let patience = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            match Qmp::connect(&self.socket()).await {
                Err(Error::Io { .. }) if tokio::time::Instant::now() < patience => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                connected => return connected.unwrap(),
            }
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn verbs_events_and_refusals() {
    let emulator = Emulator::spawn();
    let qmp = emulator.connect().await;
    assert!(qmp.version() >= Version { major: 5, minor: 0, micro: 0 });
    assert_eq!(qmp.run_state().await.unwrap(), RunState::Prelaunch);

    let mut events = qmp.events();
    qmp.cont().await.unwrap();
    assert_eq!(events.recv().await.unwrap(), Event::Resume);
    qmp.stop().await.unwrap();
    assert_eq!(events.recv().await.unwrap(), Event::Stop);
    assert_eq!(qmp.run_state().await.unwrap(), RunState::Paused);
    qmp.cont().await.unwrap();
    qmp.system_reset().await.unwrap();
    while events.recv().await.unwrap() != (Event::Reset { by_guest: false }) {}

    let unknown = qmp.execute::<Value>("no-such-command", Value::Null).await;
    assert!(matches!(unknown, Err(Error::Refused { class: ErrorClass::CommandNotFound, .. })), "{unknown:?}");
    let missing = qmp.execute::<Value>("device_del", json!({ "id": "ghost" })).await;
    assert!(matches!(missing, Err(Error::Refused { class: ErrorClass::DeviceNotFound, .. })), "{missing:?}");
    let odd = qmp.execute::<u32>("query-status", Value::Null).await;
    assert!(matches!(odd, Err(Error::Protocol(_))));
    assert_eq!(qmp.run_state().await.unwrap(), RunState::Running);

    qmp.quit().await.unwrap();
    while !matches!(events.recv().await.unwrap(), Event::Shutdown { by_guest: false, .. }) {}
    let end = async { while events.recv().await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("events do not end with the connection");
    assert!(qmp.events().recv().await.is_err());
    assert!(matches!(qmp.run_state().await, Err(Error::Closed)));
    assert!(qmp.is_closed());
}

/// A QEMU that is not ready reads nothing: what it has been told by then it does at once.
#[tokio::test]
async fn more_may_be_said_before_the_machine_is_ready() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let far_side = tokio::spawn(async move {
        let (read, mut write) = theirs.into_split();
        let greeting =
            json!({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}});
        write.write_all(format!("{greeting}\r\n").as_bytes()).await.unwrap();
        let mut read = BufReader::new(read);
        let mut heard = Vec::new();
        while heard.len() < 2 {
            heard.push(serde_json::from_slice::<Value>(&read_line(&mut read).await.unwrap().unwrap()).unwrap());
        }
        for line in &heard {
            write.write_all(format!("{}\r\n", json!({"return": {}, "id": line["id"]})).as_bytes()).await.unwrap();
        }
        heard.iter().map(|line| line["execute"].clone()).collect::<Vec<_>>()
    });
    let (qmp, negotiated) = Qmp::begin(ours).await.unwrap();
    let let_go = qmp.send("cont", Value::Null).unwrap();
    negotiated.get().await.unwrap();
    let_go.get().await.unwrap();
    assert_eq!(far_side.await.unwrap(), ["qmp_capabilities", "cont"]);
}

#[tokio::test]
async fn many_callers_share_a_connection_and_each_hears_its_own_answer() {
    let emulator = Emulator::spawn();
    let qmp = emulator.connect().await;
    let callers = (0..100).map(|n| {
        let qmp = qmp.clone();
        tokio::spawn(async move {
            // Some give up at once; their answers must reach nobody else.
            if n % 3 == 0 {
                let _ = tokio::time::timeout(Duration::ZERO, qmp.run_state()).await;
            }
            if n % 2 == 0 {
                assert_eq!(qmp.run_state().await.unwrap(), RunState::Prelaunch);
            } else {
                assert!(qmp.execute::<Value>("query-name", Value::Null).await.unwrap().is_object());
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert!(lock(&qmp.shared.waiting).as_ref().unwrap().is_empty());
}

#[tokio::test]
async fn a_machine_takes_the_next_client_when_one_has_gone() {
    let emulator = Emulator::spawn();
    for _ in 0..5 {
        let qmp = emulator.connect().await;
        assert_eq!(qmp.run_state().await.unwrap(), RunState::Prelaunch);
    }
}

#[tokio::test]
async fn death_in_the_middle_of_a_question_is_an_answer() {
    let mut emulator = Emulator::spawn();
    let qmp = emulator.connect().await;
    // Stopped by the kernel it cannot answer, so the question is open when it dies.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(emulator.process.id() as i32), nix::sys::signal::SIGSTOP).unwrap();
    let question = tokio::spawn(async move { qmp.run_state().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!question.is_finished());
    emulator.process.kill().unwrap();
    assert!(matches!(question.await.unwrap(), Err(Error::Closed)));
}

#[tokio::test]
async fn a_peer_that_talks_nonsense_is_hung_up_on() {
    let endless = vec![b'x'; 17 << 20];
    let greeting = br#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 9}, "package": ""}, "capabilities": []}}"#;
    let greeted = |rest: &[u8]| [greeting, &b"\n"[..], rest].concat();
    let speeches = [
        b"hello\n".to_vec(),
        b"{}\n".to_vec(),
        b"\xff\xfe\n".to_vec(),
        b"".to_vec(),
        endless.clone(),
        greeted(b"nonsense\n"),
        greeted(&endless),
        greeted(b"{\"id\": 99, \"return\": {}}\n{\"id\": 1, \"error\": {\"class\": \"New\", \"desc\": \"no\"}}\n"),
    ];
    for speech in speeches {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("qmp");
        let listener = UnixListener::bind(&socket).unwrap();
        let peer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // It may be hung up on while it still talks.
            let _ = stream.write_all(&speech).await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        };
        let refused = tokio::select! {
            refused = Qmp::connect(&socket) => refused.map(drop),
            () = async { if speech.is_empty() { drop(listener.accept().await) } else { peer.await } } => {
                Err(Error::Closed)
            }
        };
        assert!(refused.is_err());
    }
}

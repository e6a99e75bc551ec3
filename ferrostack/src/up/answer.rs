// SPDX-License-Identifier: Apache-2.0
//! Waits until the first machine answers on ssh, or says what is known of why it does not: the server, its host, its console.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    process::Command,
    time::{Instant, sleep, timeout},
};

use super::{
    demo::Machine,
    progress::{Outcome, Telling, step, step_telling},
};
use crate::client::Client;

const SSH: u16 = 22;
/// For a connection, and for the first line on it.
const ANSWER: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(500);
/// How long a machine may take that says nothing more on its console; emulated ones take a while.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same of one that is its owner's since long: he may not want it to answer.
const PATIENCE_LATER: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(30);
/// The service may be up before the guest has put the key in its place.
const KEY_PATIENCE: Duration = Duration::from_secs(60);
const LAST_LINES: u64 = 20;

pub struct Answer<'a> {
    pub admin: &'a Client,
    pub machine: &'a Machine,
    pub private_key: &'a Path,
    /// That it does not answer is a failure of this run. Else it is its owner's affair, and is only said.
    pub made_now: bool,
}

/// A server as its tenant is shown it.
struct Shown {
    status: String,
    task: Option<String>,
    power: i64,
    fault: Option<String>,
}

impl Answer<'_> {
    /// Waits until it answers, and says whether it does. Of one that its owner stopped it says so; `cloud` is the owner's in
    /// `clouds.yaml`.
    pub async fn see(&self, cloud: &str) -> anyhow::Result<bool> {
        let name = &self.machine.name;
        let shown = self.shown().await?;
        if shown.is_at_rest_elsewhere() && !self.made_now {
            let verb = if shown.status == "ERROR" { "reboot --hard" } else { "start" };
            let fault = shown.fault.as_ref().map_or_else(String::new, |fault| format!(" ({fault})"));
            let status = &shown.status;
            let how = format!("it is {status}{fault}; to have it run: openstack --os-cloud {cloud} server {verb} {name}");
            return step(&format!("the machine `{name}`"), async { Ok(Outcome::Otherwise(false, how)) }).await;
        }
        let telling = Telling::default();
        step_telling(&format!("the machine `{name}` answers on ssh"), &telling, self.wait(&telling)).await
    }

    async fn wait(&self, telling: &Telling) -> anyhow::Result<Outcome<bool>> {
        let patience = if self.made_now { PATIENCE } else { PATIENCE_LATER };
        let began = Instant::now();
        let mut first = true;
        let (mut console, mut spoke_at) = (String::new(), began);
        while !says_ssh(&self.machine.floating).await {
            first = false;
            let shown = self.shown().await?;
            let now = self.console().await;
            if now != console {
                (console, spoke_at) = (now, Instant::now());
            }
            telling.say(last_line(&console));
            let over = began.elapsed() > patience && spoke_at.elapsed() > SILENCE;
            if over || shown.is_at_rest_elsewhere() {
                let story = self.story(&shown, began.elapsed(), &console).await;
                return if self.made_now { Err(anyhow!(story)) } else { Ok(Outcome::Otherwise(false, story)) };
            }
            sleep(AGAIN).await;
        }
        telling.say("it answers; logging in");
        match self.let_in().await? {
            Ok(()) => Ok(Outcome::of(!first, true)),
            Err(said) => {
                let key = self.private_key.display();
                Ok(Outcome::Otherwise(true, format!("it does, and does not let in who comes with {key}: {said}")))
            }
        }
    }

    async fn shown(&self) -> anyhow::Result<Shown> {
        let server = self.admin.get(&format!("/compute/v2.1/servers/{}", self.machine.id)).await?["server"].take();
        Ok(Shown::of(&server))
    }

    async fn console(&self) -> String {
        let path = format!("/compute/v2.1/servers/{}/action", self.machine.id);
        let said = self.admin.post(&path, json!({"os-getConsoleOutput": {"length": LAST_LINES}})).await;
        said.ok().and_then(|said| Some(printable(said["output"].as_str()?))).unwrap_or_default()
    }

    /// Logs in with the key, if it is there. What ssh said, if that failed for long.
    async fn let_in(&self) -> anyhow::Result<Result<(), String>> {
        if !self.private_key.exists() {
            return Ok(Ok(()));
        }
        let until = Instant::now() + if self.made_now { KEY_PATIENCE } else { Duration::ZERO };
        loop {
            let mut ssh = Command::new("ssh");
            ssh.arg("-i").arg(self.private_key).args([
                "-o",
                "BatchMode=yes",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "ConnectTimeout=10",
            ]);
            ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]);
            ssh.arg(format!("cirros@{}", self.machine.floating)).arg("true").stdin(Stdio::null()).kill_on_drop(true);
            let done = ssh.output().await.context("run ssh (package openssh-client)")?;
            if done.status.success() {
                return Ok(Ok(()));
            }
            if Instant::now() > until {
                return Ok(Err(last_line(&printable(&String::from_utf8_lossy(&done.stderr))).to_owned()));
            }
            sleep(AGAIN).await;
        }
    }

    /// All that is known of a machine that does not answer.
    async fn story(&self, shown: &Shown, after: Duration, console: &str) -> String {
        let Machine { floating, id, .. } = self.machine;
        let mut story = format!("it does not answer on ssh at {floating} after {} s.\n{}", after.as_secs(), shown.sentence(id));
        if let Some(finding) = self.hosts().await {
            story.push_str(&format!("\n{finding}"));
        }
        story.push_str(match console {
            "" => "\nIts console says nothing.",
            _ => "\nIts console last said:\n",
        });
        console.lines().for_each(|line| story.push_str(&format!("    {line}\n")));
        story.trim_end().to_owned()
    }

    async fn hosts(&self) -> Option<String> {
        let nodes = self.admin.get("/operator/v1/nodes").await.ok()?;
        let said = nodes["nodes"].as_array()?.iter().map(|node| {
            let text = |value: &Value| value.as_str().unwrap_or("unknown").lines().next().unwrap_or_default().to_owned();
            format!("Host {}: {}", text(&node["hostname"]), text(&node["accelerator"]["finding"]))
        });
        Some(said.collect::<Vec<_>>().join("\n"))
    }
}

impl Shown {
    fn of(server: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            status: text(&server["status"]).unwrap_or_default(),
            task: text(&server["OS-EXT-STS:task_state"]),
            power: server["OS-EXT-STS:power_state"].as_i64().unwrap_or_default(),
            fault: text(&server["fault"]["message"]),
        }
    }

    /// Nothing is under way that would bring it to where it answers.
    fn is_at_rest_elsewhere(&self) -> bool {
        self.task.is_none() && !matches!(self.status.as_str(), "ACTIVE" | "BUILD")
    }

    fn sentence(&self, id: &str) -> String {
        let qemu = match self.power {
            1 => "its QEMU runs",
            3 => "its QEMU holds it paused",
            4 => "it is off",
            6 => "it crashed",
            _ => "the state of its QEMU is not known",
        };
        let task = self.task.as_ref().map_or_else(String::new, |task| format!(", {task}"));
        let fault = self.fault.as_ref().map_or_else(String::new, |fault| format!(": {fault}"));
        format!("The server {id} is {}{task}, {qemu}{fault}", self.status)
    }
}

/// Whether something there speaks ssh.
async fn says_ssh(address: &str) -> bool {
    says_ssh_at(address, SSH).await
}

async fn says_ssh_at(address: &str, port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect((address, port)).await.ok()?;
        let mut begin = [0; 4];
        stream.read_exact(&mut begin).await.ok()?;
        (&begin == b"SSH-").then_some(())
    };
    matches!(timeout(ANSWER, greeting).await, Ok(Some(())))
}

/// A guest's words as they may be shown on a terminal: none that would steer it.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // A sequence ends with its first letter or tilde; what begins in another way is one character long.
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                while characters.next().is_some_and(|next| !next.is_ascii_alphabetic() && next != '~') {}
            }
            '\u{1b}' => drop(characters.next()),
            '\n' => shown.push('\n'),
            '\t' => shown.push(' '),
            other if other.is_control() => {}
            other => shown.push(other),
        }
    }
    shown
}

fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn what_answers_counts_only_if_it_speaks_ssh() {
        for (said, answers) in [("SSH-2.0-dropbear\r\n", true), ("HTTP/1.1 400\r\n", false), ("SS", false), ("", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(said.as_bytes()).await.unwrap();
            });
            assert_eq!(says_ssh_at("127.0.0.1", port).await, answers, "{said:?}");
        }
        assert!(!says_ssh_at("127.0.0.1", 1).await);
    }

    #[test]
    fn a_guest_cannot_steer_the_terminal() {
        let said = "one\r\n\u{1b}[2J\u{1b}[1;31mtwo\u{1b}[0m\u{7}\u{1b}c three\u{1b}]0;title\u{7}\n";
        assert_eq!(printable(said), "one\ntwo three0;title\n");
        assert_eq!(last_line("boots\n login: \n\n"), "login:");
    }

    #[test]
    fn a_server_that_will_not_answer_is_known_by_its_words() {
        let shown = |status: &str, task: Value, power: i64| {
            Shown::of(&json!({"status": status, "OS-EXT-STS:task_state": task, "OS-EXT-STS:power_state": power,
                "fault": {"message": "the guest's kernel panicked"}}))
        };
        assert!(!shown("ACTIVE", Value::Null, 1).is_at_rest_elsewhere());
        assert!(!shown("SHUTOFF", json!("powering-on"), 0).is_at_rest_elsewhere());
        assert!(shown("SHUTOFF", Value::Null, 4).is_at_rest_elsewhere());
        let broken = shown("ERROR", Value::Null, 6);
        assert!(broken.is_at_rest_elsewhere());
        assert_eq!(broken.sentence("7"), "The server 7 is ERROR, it crashed: the guest's kernel panicked");
    }
}

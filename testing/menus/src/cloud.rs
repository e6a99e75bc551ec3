// SPDX-License-Identifier: Apache-2.0
//! A controller without OVN, and hosts that have none.

use std::{
    fs::{self, File},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nodes::{Host, Manner, Offer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(20);
const HOSTS: usize = 2;

/// Ends with this handle.
pub struct Cloud {
    folder: TempDir,
    authority: String,
    child: Child,
    hosts: Vec<Host>,
}

impl Cloud {
    pub async fn start() -> Result<Self> {
        let binary = lab::ferrostack()?;
        let folder = tempfile::Builder::new().prefix("menus-").tempdir()?;
        let (authority, fleet, at) = (free_address()?, free_address()?, folder.path().display());
        let settings = format!(
            "[api]\nlisten = \"{authority}\"\n[fleet]\nlisten = \"{fleet}\"\n[network]\nrun_ovn = false\n\
             northbound = \"unix:{at}/northbound.sock\"\nsouthbound = \"unix:{at}/southbound.sock\"\n\
             [network.physical_networks]\nexternal = {{ first_vlan = 1, last_vlan = 4094 }}\n"
        );
        fs::write(folder.path().join("ferrostack.toml"), settings)?;
        let log = File::create(folder.path().join("controller.log"))?;
        let mut command = Command::new(&binary);
        command.arg("controller").arg("--home").arg(folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("start {}", binary.display()))?;
        let mut cloud = Self { folder, authority, child, hosts: Vec::new() };
        cloud.until_it_answers().await?;
        cloud.hosts = cloud.join().await?;
        Ok(cloud)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    pub fn admin_password(&self) -> Result<String> {
        let password = fs::read_to_string(self.folder.path().join("secrets/admin-password")).context("read the password")?;
        Ok(password.trim().to_owned())
    }

    /// The end of the controller's log.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("controller.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Asks it to end, as an operator does, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        self.hosts.clear();
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the controller ended with {status}");
        Ok(())
    }

    async fn until_it_answers(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.ask("GET", "/healthcheck", None, &Value::Null).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the controller ended with {status}:\n{}", self.last_words());
            }
            ensure!(began.elapsed() < PATIENCE, "the controller does not answer");
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    async fn join(&self) -> Result<Vec<Host>> {
        let (name, password) = ("admin", self.admin_password()?);
        let domain = json!({"name": "Default"});
        let user = json!({"name": name, "password": password, "domain": domain});
        let login = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": name, "domain": domain}}}});
        let (_, token) = self.ask("POST", "/identity/v3/auth/tokens", None, &login).await?;
        let token = token.context("the login has a token")?;
        let mut words = Vec::new();
        for _ in 0..HOSTS {
            let (made, _) = self.ask("POST", "/operator/v1/join-tokens", Some(&token), &json!({})).await?;
            words.push(made["join_token"]["token"].as_str().context("the token is a word")?.to_owned());
        }
        nodes::join(&words, &Offer::default(), &Manner { step: AGAIN, ..Manner::default() }).await
    }

    /// The document of an answer, and the token that came with it.
    async fn ask(&self, method: &str, path: &str, token: Option<&str>, document: &Value) -> Result<(Value, Option<String>)> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        request = request.header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("x-auth-token", token);
        }
        let body = if document.is_null() { Bytes::new() } else { Bytes::from(document.to_string()) };
        let (parts, body) = sender.send_request(request.body(Full::new(body))?).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(parts.status.is_success(), "{method} {path}: {}: {}", parts.status, String::from_utf8_lossy(&body));
        let token = parts.headers.get("x-subject-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
        Ok((serde_json::from_slice(&body)?, token))
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string())
}

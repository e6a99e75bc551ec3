// SPDX-License-Identifier: Apache-2.0
//! A tenant of a running cloud, who creates and deletes servers.

use std::{
    collections::BTreeMap,
    env,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Plan, cloud, http::Connection, process};

const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);

pub struct Tenant {
    pub connection: Connection,
    image: String,
    flavor: String,
    network: String,
}

/// Milliseconds since the request.
pub struct Steps {
    pub accepted: f64,
    pub spawned: f64,
    pub active: f64,
}

impl Tenant {
    pub async fn find(plan: &Plan) -> anyhow::Result<Self> {
        let account = account(plan)?;
        let get = |name: &str| account.get(name).map(String::as_str).with_context(|| format!("{name} is not set"));
        let url = get("OS_AUTH_URL")?;
        let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let authority = authority.with_context(|| format!("OS_AUTH_URL is {url}; figures are taken over plain HTTP"))?;
        let token = cloud::log_in(authority, get("OS_USERNAME")?, get("OS_PASSWORD")?, get("OS_PROJECT_NAME")?).await?;
        let mut connection = Connection::open(authority).await?.with_token(&token);
        let image = first(&mut connection, "/image/v2/images?status=active", "images").await?;
        let network = first(&mut connection, "/network/v2.0/networks?router:external=false", "networks").await?;
        let flavor = first(&mut connection, "/compute/v2.1/flavors?sort_key=memory_mb", "flavors").await?;
        Ok(Self { connection, image, flavor, network })
    }

    pub async fn create_active(&mut self, name: &str) -> anyhow::Result<(String, Steps)> {
        self.create_active_with(name, &json!({})).await
    }

    /// The same with more that is wanted of it.
    pub async fn create_active_with(&mut self, name: &str, more: &Value) -> anyhow::Result<(String, Steps)> {
        let mut ask = json!({"server": {"name": name, "imageRef": self.image, "flavorRef": self.flavor,
            "networks": [{"uuid": self.network}]}});
        for (key, value) in more.as_object().into_iter().flatten() {
            ask["server"][key] = value.clone();
        }
        let (asked, asked_at) = (Instant::now(), process::uptime()?);
        let answer = self.connection.post("/compute/v2.1/servers", &ask).await?;
        let accepted = asked.elapsed().as_secs_f64() * 1e3;
        let id = answer.json()?["server"]["id"].as_str().context("the server has an id")?.to_owned();
        let active = match self.until_active(&id, asked).await {
            Ok(active) => active,
            Err(error) => {
                self.delete(&id).await?;
                return Err(error);
            }
        };
        let spawned = (process::began(super::raw::process_of(&id)?.0)? - asked_at) * 1e3;
        Ok((id, Steps { accepted, spawned, active }))
    }

    async fn until_active(&mut self, id: &str, asked: Instant) -> anyhow::Result<f64> {
        loop {
            let server = self.connection.get(&format!("/compute/v2.1/servers/{id}")).await?.json()?;
            match server["server"]["status"].as_str() {
                Some("ACTIVE") => return Ok(asked.elapsed().as_secs_f64() * 1e3),
                Some("BUILD") => {}
                _ => bail!("the server is {}: {}", server["server"]["status"], server["server"]["fault"]["message"]),
            }
            ensure!(asked.elapsed() < PATIENCE, "the server is not ACTIVE after {PATIENCE:?}");
            sleep(POLL).await;
        }
    }

    /// Waits until it is gone, so that the next round does not pay for it.
    pub async fn delete(&mut self, id: &str) -> anyhow::Result<()> {
        let path = format!("/compute/v2.1/servers/{id}");
        self.connection.delete(&path).await?;
        let asked = Instant::now();
        while self.connection.get(&path).await.is_ok() {
            ensure!(asked.elapsed() < PATIENCE, "the server {id} is not gone after {PATIENCE:?}");
            sleep(POLL).await;
        }
        Ok(())
    }
}

/// The `OS_*` variables: those of the environment, else what `ferrostack env` says for the demo tenant.
fn account(plan: &Plan) -> anyhow::Result<BTreeMap<String, String>> {
    if env::var_os("OS_AUTH_URL").is_some() {
        return Ok(env::vars().filter(|(name, _)| name.starts_with("OS_")).collect());
    }
    let mut command = Command::new(&plan.binary);
    command.args(["env", "--as", "demo"]);
    let output = command.output().with_context(|| format!("run {}", plan.binary.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "a running cloud is needed (FERROSTACK_HOME, or OS_*): {}", said.trim());
    let text = String::from_utf8(output.stdout)?;
    let pairs = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect())
}

async fn first(connection: &mut Connection, path: &str, list: &str) -> anyhow::Result<String> {
    let found: Value = connection.get(path).await?.json()?;
    found[list][0]["id"].as_str().map(str::to_owned).with_context(|| format!("GET {path} lists none"))
}

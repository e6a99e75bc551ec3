// SPDX-License-Identifier: Apache-2.0
//! The operator's verbs on a running cloud.

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    client::{Account, Client},
    config::Config,
    controller,
    home::Home,
    say::{self, say},
    secrets,
};

#[derive(Args)]
pub struct EventsArguments {
    /// Keep printing as changes come
    #[arg(long, short)]
    follow: bool,
    /// Only events of this kind of resource, e.g. server or port
    #[arg(long = "type", value_name = "TYPE")]
    resource_type: Option<String>,
    /// Only what this request did (req-…)
    #[arg(long, value_name = "REQUEST_ID")]
    request: Option<String>,
}

async fn print_controllers(admin: &Client) -> anyhow::Result<()> {
    let answer = admin.get("/operator/v1/controllers").await?;
    for controller in answer["controllers"].as_array().into_iter().flatten() {
        say::line(&line_of_controller(controller));
    }
    Ok(())
}

/// Who leads and since when, and who stands by.
pub fn line_of_controller(controller: &Value) -> String {
    let text = |name: &str| controller[name].as_str().unwrap_or_default();
    match controller["leads_since"].as_str() {
        Some(since) => format!("controller   {} leads since {since}", text("name")),
        None => format!("controller   {} stands by, last seen {}", text("name"), text("seen_at")),
    }
}

pub fn audit(home: &Home) -> anyhow::Result<()> {
    as_admin(home, async |admin| {
        print_controllers(admin).await?;
        let answer = admin.get("/operator/v1/audit").await?;
        let findings = answer["findings"].as_array().cloned().unwrap_or_default();
        for finding in &findings {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            say!(
                "{:<10} {:<9} {:<22} {}  {}  {}",
                text("room"),
                text("kind"),
                text("thing"),
                text("id"),
                text("place"),
                text("detail")
            );
        }
        if findings.is_empty() {
            say!("Everything is as it should be.");
            return Ok(());
        }
        anyhow::bail!("{} findings", findings.len())
    })
}

pub fn events(home: &Home, arguments: &EventsArguments) -> anyhow::Result<()> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("resource_type", &arguments.resource_type), ("request_id", &arguments.request)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    if arguments.follow {
        query.append_pair("follow", "true").append_pair("after", "now");
    }
    let path = format!("/operator/v1/events?{}", query.finish());
    as_admin(home, async |admin| {
        if arguments.follow {
            return admin.follow(&path, say::line).await;
        }
        let answer = admin.get(&path).await?;
        for event in answer["events"].as_array().into_iter().flatten() {
            say!("{event}");
        }
        Ok(())
    })
}

pub fn join_token(home: &Home) -> anyhow::Result<()> {
    as_admin(home, async |admin| {
        let made = admin.post("/operator/v1/join-tokens", json!({})).await?;
        let token = made["join_token"]["token"].as_str().context("the controller gave a join token")?;
        say::outcome(&format!("On the host that shall join, within an hour and once:\n\n  ferrostack node --join {token}"))
    })
}

/// The table of all routes, as the door holds it.
pub fn routes() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for line in runtime.block_on(controller::route_lines())? {
        say!("{line}");
    }
    Ok(())
}

/// Does something as the cloud's administrator, whose password this host keeps.
pub fn as_admin(home: &Home, work: impl AsyncFnOnce(&Client) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let config = Config::read(&home.configuration)?;
    let password = secrets::read(home, secrets::ADMIN)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut admin = Client::new(&config.public_url(), config.api.certificate.as_deref())?;
        admin.log_in(&Account { user: "admin", password: password.reveal(), project: "admin" }).await?;
        work(&admin).await
    })
}

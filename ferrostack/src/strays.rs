// SPDX-License-Identifier: Apache-2.0
//! `ferrostack strays`: what is there and the database knows nothing of, and the word that it shall go.

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::{client::Client, home::Home, operate::as_admin, say::say};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// List them (the same as without a word)
    List,
    /// Remove these for good: disks and images are gone then
    Remove {
        /// As `ferrostack strays` names them
        #[arg(required_unless_present = "all")]
        names: Vec<String>,
        /// Remove all that are listed now
        #[arg(long, conflicts_with = "names")]
        all: bool,
    },
}

impl Arguments {
    pub fn only_tells(&self) -> bool {
        !matches!(self.verb, Some(Verb::Remove { .. }))
    }
}

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    as_admin(home, async |admin| match &arguments.verb {
        None | Some(Verb::List) => list(admin).await,
        Some(Verb::Remove { names, all }) => remove(admin, names, *all).await,
    })
}

async fn list(admin: &Client) -> anyhow::Result<()> {
    let answer = admin.get("/operator/v1/strays").await?;
    if let Some(noticed_at) = answer["database_put_back"]["noticed_at"].as_str() {
        let seen_by = answer["database_put_back"]["seen_by"].as_str().unwrap_or_default();
        say!("The database was put back to an earlier state, which {seen_by} told at {noticed_at}.");
    }
    let strays = answer["strays"].as_array().cloned().unwrap_or_default();
    for stray in &strays {
        let text = |name: &str| stray[name].as_str().unwrap_or_default();
        say!("{}  {:<16} {}  {}  {}", text("name"), text("thing"), text("id"), text("place"), text("detail"));
    }
    match strays.len() {
        0 => say!("There is nothing that the cloud does not know of."),
        _ => say!("\nThey are kept as they are. `ferrostack strays remove NAME` removes one for good."),
    }
    Ok(())
}

async fn remove(admin: &Client, names: &[String], all: bool) -> anyhow::Result<()> {
    let mut wanted = names.to_vec();
    if all {
        let answer = admin.get("/operator/v1/strays").await?;
        let listed = answer["strays"].as_array().cloned().unwrap_or_default();
        wanted.extend(listed.iter().filter_map(|stray| Some(stray["name"].as_str()?.to_owned())));
    }
    let mut failed = 0;
    for name in &wanted {
        match admin.delete(&format!("/operator/v1/strays/{name}")).await {
            Ok(_) => say!("{name} goes"),
            Err(error) => {
                say!("{name} stays: {error:#}");
                failed += 1;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} stay", wanted.len());
    }
    Ok(())
}

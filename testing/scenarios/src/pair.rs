// SPDX-License-Identifier: Apache-2.0
//! A cloud with two controllers on one PostgreSQL, on hosts of their own.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use lab::{Host, Process, wait_until};

use crate::{
    Api, Cloud,
    cloud::{await_answer, home, spawn, write_settings},
    settings,
};

/// The lead moves after five silent seconds, and after ten more if a transaction hangs; hosts find it within some seconds.
const TAKEOVER: Duration = Duration::from_secs(60);

pub struct Pair {
    /// With the first controller, which also runs OVN's databases; they outlive it.
    pub cloud: Cloud,
    pub standby: Process,
    pub standby_host: Host,
    /// The administrator at the second controller.
    pub at_standby: Api,
    _database: database::Server,
}

impl Pair {
    /// The first controller leads.
    pub fn with_hosts(names: &[&str]) -> Result<Self> {
        let database = database::Server::start();
        let mut shared = String::new();
        let mut cloud = Cloud::controller_with(|central, own| {
            let images = central.folder().join("shared-images");
            fs::create_dir_all(&images)?;
            Ok(settings::controller(own) + &settings::shared(&database.url(), &images))
        })?;
        let own = cloud.central.underlay()?;
        shared.push_str(&settings::shared(&database.url(), &cloud.central.folder().join("shared-images")));

        let standby_host = cloud.lab.host("standby")?;
        let standby_address = standby_host.underlay()?;
        write_settings(&standby_host, &(settings::standby(standby_address, own, &cloud.home()) + &shared))?;
        for common in ["secrets", "fleet"] {
            let (from, to) = (cloud.home().join(common), home(&standby_host));
            standby_host.run(["cp", "-a", &from.display().to_string(), &to.display().to_string()])?;
        }
        let mut standby = spawn(&standby_host, "controller", &[], &[])?;
        let door = Api::anonymous(&standby_host, (standby_address, settings::API_PORT).into());
        await_answer(&mut standby, &door)?;
        let at_standby = door.log_in(cloud.admin.account()?)?;
        for name in names {
            let agent = cloud.join(name)?;
            cloud.agents.push(agent);
        }
        cloud.wait_for_hosts()?;
        Ok(Self { cloud, standby, standby_host, at_standby, _database: database })
    }

    /// Waits until this controller sees the one on that host lead, and every host in a session.
    pub fn wait_for_lead(&self, seen_by: &Api, leader: &Host) -> Result<()> {
        let address = leader.underlay()?.to_string();
        wait_until(&format!("{} to lead", leader.name()), TAKEOVER, || {
            let Ok(known) = seen_by.get("/operator/v1/controllers") else { return Ok(false) };
            let known = known["controllers"].as_array().context("a list of controllers")?;
            let leaders: Vec<_> = known.iter().filter(|one| one["leads"] == true).collect();
            ensure!(leaders.len() < 2, "several lead: {known:?}");
            Ok(leaders.iter().any(|one| one["name"].as_str().is_some_and(|name| name.starts_with(&address))))
        })?;
        wait_until("every host to be up again", TAKEOVER, || {
            let nodes = seen_by.get("/operator/v1/nodes")?;
            let nodes = nodes["nodes"].as_array().context("a list of nodes")?;
            Ok(nodes.iter().all(|node| node["up"] == true))
        })
    }

    pub fn start_standby(&mut self) -> Result<()> {
        self.standby = spawn(&self.standby_host, "controller", &[], &[])?;
        await_answer(&mut self.standby, &self.at_standby)
    }

    pub fn passed(self) -> Result<()> {
        ensure!(!self.standby.log()?.contains("panicked at"), "the second controller panicked: see its log");
        drop(self.standby);
        self.cloud.passed()
    }
}

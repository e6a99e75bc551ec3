// SPDX-License-Identifier: Apache-2.0
//! Simulated hosts beside the real ones, in the network of the controller's host.

use std::{sync::mpsc, thread, time::Duration};

use anyhow::{Context, Result};
use nodes::{Host, Manner, Offer};
use serde_json::json;
use tokio::{runtime, sync::oneshot};

use crate::{Cloud, text};

/// Of each of the four steps of a machine on its way.
const STEP: Duration = Duration::from_millis(20);

/// They are gone when it is dropped.
pub struct Crowd {
    pub hosts: Vec<Host>,
    _life: oneshot::Sender<()>,
}

impl Crowd {
    /// All of them have a session.
    pub fn join(cloud: &Cloud, count: usize) -> Result<Self> {
        let word = |_| text(&cloud.admin.post("/operator/v1/join-tokens", &json!({}))?["join_token"]["token"]);
        let words = (0..count).map(word).collect::<Result<Vec<String>>>()?;
        let (joined, until_joined) = mpsc::channel();
        let (life, over) = oneshot::channel();
        let central = cloud.central.clone();
        // A thread's sockets are in the network that it is in: all of the hosts live on this one.
        thread::spawn(move || {
            let hosts = || {
                central.enter_network()?;
                let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
                let manner = Manner { step: STEP, ..Manner::default() };
                let hosts = runtime.block_on(nodes::join(&words, &Offer::default(), &manner))?;
                anyhow::Ok((runtime, hosts))
            };
            match hosts() {
                Ok((runtime, hosts)) => {
                    let _ = joined.send(Ok(hosts));
                    let _ = runtime.block_on(over);
                }
                Err(error) => drop(joined.send(Err(error))),
            }
        });
        let hosts = until_joined.recv().context("the simulated hosts ended")?.context("simulate hosts")?;
        Ok(Self { hosts, _life: life })
    }

    pub fn running(&self) -> usize {
        self.hosts.iter().map(Host::running).sum()
    }

    pub fn machines(&self) -> usize {
        self.hosts.iter().map(|host| host.machines().len()).sum()
    }
}

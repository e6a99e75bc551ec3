// SPDX-License-Identifier: Apache-2.0
//! One door: made, wired into the switch, and served.

use std::{net::IpAddr, sync::Arc};

use contracts::{
    BoxFuture,
    node::{GuestPassword, MachineDesired},
};
use tokio::{net::TcpListener, task::JoinHandle};
use types::{NetworkId, ServerId};
use work::crash;

use super::{
    Ground,
    namespace::{self, Names},
    server::{self, Behind},
};
use crate::{
    Result,
    error::{Doing, blocking},
    link::Link,
    machines::{DoorPlan, Machines},
    switch::Switching,
};

/// Serves until it is dropped; the namespace stays.
pub(super) struct Door(JoinHandle<()>);

impl Door {
    pub async fn open(ground: &Ground, network: &NetworkId, plan: &DoorPlan) -> Result<Self> {
        let switch = &ground.switch;
        let offloads = switch.datapath() == ovn::vswitch::Datapath::Kernel;
        let (mark, of) = (ground.state.mark(), network.clone());
        let names = blocking(move || Names::choose(&mark, &of)).await?;
        crash::point("node.door.making");
        // A pair that is made anew has another device behind the same name: the switch is to notice.
        switch.release_port(&names.device).await?;
        let (made, of) = (names.clone(), plan.clone());
        let listener = blocking(move || {
            namespace::ensure(&made, &of, offloads)?;
            namespace::listen(&made)
        })
        .await?;
        crash::point("node.door.made");
        switch.ensure_door_port(&names.device, plan.door.port_id.as_str()).await?;
        crash::point("node.door.wired");
        let listener = TcpListener::from_std(listener).doing(|| "serve metadata".into())?;
        tracing::info!(%network, namespace = names.namespace, "metadata is served");
        let behind =
            Arc::new(OfNetwork { machines: ground.machines.clone(), link: ground.link.clone(), network: network.clone() });
        Ok(Self(tokio::spawn(server::serve(listener, behind, ground.limits))))
    }
}

/// The machines of this host that are on one network.
struct OfNetwork {
    machines: Machines,
    link: Link,
    network: NetworkId,
}

impl Behind for OfNetwork {
    fn machine_at(&self, address: IpAddr) -> Option<Box<MachineDesired>> {
        self.machines.at_address(&self.network, address)
    }

    fn say_password<'a>(&'a self, server: &'a ServerId, password: GuestPassword) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.link.client()?.say_password(server, &password).await })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn release(switch: &Switching, names: &Names) -> Result<()> {
    switch.release_port(&names.device).await?;
    crash::point("node.door.unwired");
    let names = names.clone();
    blocking(move || namespace::release(&names)).await
}

// SPDX-License-Identifier: Apache-2.0
//! One door: made, wired into the switch, and served.

use std::sync::Arc;

use tokio::{net::TcpListener, task::JoinHandle};
use types::NetworkId;
use work::crash;

use super::{
    DoorPlan,
    namespace::{self, Names},
    server,
};
use crate::{
    Result,
    error::{Doing, blocking},
    host::Host,
    machines::Machines,
};

/// Serves until it is dropped; the namespace stays.
pub(super) struct Door(JoinHandle<()>);

impl Door {
    pub async fn open(host: &Host, machines: &Machines, network: &NetworkId, plan: &DoorPlan) -> Result<Self> {
        let names = Names::of(&host.state().tag(), network);
        let Some(switch) = host.switch() else { return Ok(Self(tokio::spawn(async {}))) };
        let offloads = switch.datapath() == ovn::vswitch::Datapath::Kernel;
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
        let (machines, network) = (machines.clone(), network.clone());
        let at = Arc::new(move |address| machines.at_address(&network, address));
        Ok(Self(tokio::spawn(server::serve(listener, at, host.config().metadata))))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn release(host: &Host, names: &Names) -> Result<()> {
    if let Some(switch) = host.switch() {
        switch.release_port(&names.device).await?;
    }
    crash::point("node.door.unwired");
    let names = names.clone();
    blocking(move || namespace::release(&names)).await
}

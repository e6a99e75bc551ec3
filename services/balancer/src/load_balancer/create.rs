// SPDX-License-Identifier: Apache-2.0
//! `POST /loadbalancers`.
//!
//! The row comes first and the port after it, so that whatever dies in between there is somebody who knows of the port; and the
//! answer waits for the port, since it says the address.

use std::sync::Arc;

use access::Target;
use api::{Cx, Reply};
use contracts::vips::VipWish;
use http::StatusCode;
use store::{Actor, Tx};
use types::{LoadBalancerId, NetworkId, PortId, SubnetId, Timestamp};
use work::crash;

use super::{LoadBalancer, policy, table};
use crate::{
    Balancers, Edit,
    error::{Error, Result, denied},
    input::{Input, document},
    life, provider, quota,
    thing::{Shown, Thing, handlers},
};

pub(super) async fn create(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let mut input = document(&mut cx, LoadBalancer::ONE).await?;
    let project = input.owner(&cx)?;
    let wish = VipWish {
        port: input.id("vip_port_id")?.flatten().map(PortId::new),
        network: input.id("vip_network_id")?.flatten().map(NetworkId::new),
        subnet: input.id("vip_subnet_id")?.flatten().map(SubnetId::new),
        address: input.address("vip_address")?,
    };
    let name = input.label("name")?.unwrap_or_default();
    let description = input.label("description")?.unwrap_or_default();
    let admin_state_up = input.flag("admin_state_up")?.unwrap_or(true);
    let tags = input.tags()?.unwrap_or_default();
    let provider = provider::named(input.text_or_null("provider", 0..=255)?.flatten())?;
    refuse_what_is_not_there(&mut input)?;
    input.finish()?;
    cx.check(&policy::CREATE, &Target::in_project(&project)).map_err(|_| denied())?;
    let vip = room.vips.plan(cx.caller()?, &wish).await?;
    let balancer = LoadBalancer {
        id: LoadBalancerId::generate(),
        project_id: project.clone(),
        name,
        description,
        admin_state_up,
        tags,
        provider: provider.to_owned(),
        vip_port_id: vip.port_id.clone(),
        vip_network_id: vip.network_id.clone(),
        vip_subnet_id: vip.subnet_id.clone(),
        vip_address: vip.address,
        vip,
        provisioning_status: "PENDING_CREATE".to_owned(),
        operating_status: "OFFLINE".to_owned(),
        generation: 1,
        reached: 0,
        fault: None,
        deleting_at: None,
        created_at: Timestamp::now(),
        updated_at: None,
    };
    let actor = cx.actor();
    let (id, made, by) = (balancer.id.clone(), balancer.clone(), actor.clone());
    room.store
        .write(move |tx| -> Result<()> {
            quota::take(tx, &made.project_id, &quota::LOAD_BALANCERS, 1)?;
            made.insert(tx, &by)?;
            let edit = Edit { actor: &by, balancer: made.clone() };
            life::settle::after_change(tx, &edit)
        })
        .await?;
    crash::point("balancer.recorded");
    if let Err(refusal) = room.ensure_vip(&balancer).await {
        if refusal.is_transient() {
            // It is wanted, and made when the network's tables or OVN answer.
            tracing::warn!(balancer = %id, %refusal, "the address of a load balancer is made later");
        } else {
            let (of, by) = (id.clone(), actor.clone());
            room.store.write(move |tx| forget(tx, &by, &of)).await?;
            room.bell.ring_for([id.as_str()]);
            return Err(refusal.into());
        }
    }
    room.bell.ring_for([id.as_str()]);
    let made = room.store.read(move |tx| LoadBalancer::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::CREATED, made).await
}

/// One whose address could not be had goes as any other does, for something of it may be there.
fn forget(tx: &mut Tx, actor: &Actor, id: &LoadBalancerId) -> Result<()> {
    table::begin_deletion(tx, actor, id, true)
}

fn refuse_what_is_not_there(input: &mut Input) -> Result<(), api::Fault> {
    input.nothing(&[
        ("flavor_id", "There are no flavors."),
        ("availability_zone", "There are no availability zones of load balancers."),
        ("vip_qos_policy_id", "There are no QoS policies."),
        ("additional_vips", "A load balancer has one address; give it a floating IP for another."),
        ("vip_sg_ids", "Listeners say who may connect; the address has no security groups."),
        ("listeners", "Listeners are made one by one, once there is the load balancer."),
        ("pools", "Pools are made one by one, once there is the load balancer."),
    ])
}

impl Balancers {
    /// Makes sure of the port, and writes down the address that it got.
    pub(crate) async fn ensure_vip(&self, balancer: &LoadBalancer) -> Result<(), contracts::Refusal> {
        let LoadBalancer { id, project_id, name, vip, .. } = balancer;
        let (vip, _) = self.vips.ensure(project_id, id, name, vip, None).await?;
        crash::point("balancer.address-made");
        if vip == balancer.vip {
            return Ok(());
        }
        let id = id.clone();
        let note = move |tx: &mut Tx| -> Result<(), Error> {
            let Some(before) = LoadBalancer::find(tx, id.as_str())? else { return Ok(()) };
            let mut after = before.clone();
            after.vip_subnet_id.clone_from(&vip.subnet_id);
            after.vip_address = vip.address;
            after.vip = vip.clone();
            after.save(tx, &Actor::system("balancer"), &before)
        };
        Ok(self.store.write(note).await?)
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Attaching an interface to a server, and detaching it. The answer to the first describes the port, which is made by
//! then; that it is plugged in follows.

use std::sync::Arc;

use api::{Cx, Fault, Reply};
use contracts::{
    Refusal, RefusalKind,
    node::Feature,
    ports::{NicAsk, NicWish},
};
use http::StatusCode;
use serde_json::json;
use types::{NetworkId, PortId};

use super::{
    Server, action,
    claim::{self, Claim},
    guard::Guard,
    interfaces,
    operation::{Ask, InterfaceAsk, Stage, Taken, admission::Act},
    state::Power,
    tags,
};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Object, Read, body, wrong},
    instance_action::Action,
    versions::at_least,
};

pub(super) async fn attach(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let (wish, tag) = read(&mut cx).await?;
    demand(&room, &cx, Act::AttachInterface).await?;
    let nic = NicAsk { tag, ..plan(&room, &cx, wish).await? };
    let (port_id, asked) = (nic.port_id.clone(), nic.clone());
    let server = action::begin_with(&room, &cx, Act::AttachInterface, Action::AttachInterface, move |tx, server| {
        claim::add_nic(tx, &server.id, &asked)?;
        Ok((Ask::Attach(InterfaceAsk { port_id: asked.port_id.clone(), is_lost: false }), Stage::Wiring))
    })
    .await?;
    room.wire_now(&server).await?;
    let guard = Guard::of(&cx)?;
    let (server, claims) = room.store.read(move |tx| Ok::<_, Error>((guard.find(tx)?, claim::of_server(tx, &guard.id)?))).await?;
    let port = claims.iter().filter_map(|claim| claim.port.as_ref()).find(|port| port.id == port_id);
    let port = port.ok_or_else(|| given_up(&server, &port_id))?;
    api::json(StatusCode::OK, &json!({"interfaceAttachment": interfaces::interface(&cx, &server, port, &claims)}))
}

pub(super) async fn detach(room: Arc<Compute>, cx: Cx) -> Reply {
    demand(&room, &cx, Act::DetachInterface).await?;
    let port_id = PortId::new(cx.param("port"));
    action::begin_with(&room, &cx, Act::DetachInterface, Action::DetachInterface, move |tx, server| {
        let is_its = |claim: &Claim| claim.nic.as_ref().is_some_and(|nic| nic.port_id == port_id);
        if !claim::of_server(tx, &server.id)?.iter().any(is_its) {
            return Err(Error::not_found(format!("Instance {} does not have port with id {port_id}", server.id)));
        }
        server.change_nics();
        Ok((Ask::Detach(InterfaceAsk { port_id: port_id.clone(), is_lost: false }), Stage::Unplugging))
    })
    .await?;
    Ok(api::empty(StatusCode::ACCEPTED))
}

/// `{"interfaceAttachment": {…}}`, or nothing for a NIC in the project's only network.
async fn read(cx: &mut Cx) -> Read<(NicWish, Option<String>)> {
    let may_have_tag = at_least(cx.version, 49);
    let mut body = body(cx).await?;
    let asked = body.object("interfaceAttachment")?;
    body.finish()?;
    let Some(mut asked) = asked else { return Ok((NicWish::Any, None)) };
    let (network, port) = (uuid(&mut asked, "net_id")?, uuid(&mut asked, "port_id")?);
    let address = match asked.list("fixed_ips")? {
        None => None,
        Some(list) => {
            let [one] =
                <[_; 1]>::try_from(list).map_err(|list| wrong("fixed_ips", &json!(list), "One address must be given."))?;
            let mut one = Object::from_value("fixed_ips", one)?;
            let address = one.ip("ip_address")?;
            let address = one.required("ip_address", address)?;
            one.finish()?;
            Some(address)
        }
    };
    let tag = if may_have_tag { tags::of_device(&mut asked)? } else { None };
    asked.finish()?;
    let wish = match (network, port) {
        (Some(_), Some(_)) => return Err(Fault::bad_request("Must not input both network_id and port_id")),
        (None, _) if address.is_some() => return Err(Fault::bad_request("Must input network_id when request IP address")),
        (Some(id), None) => NicWish::Network { id: NetworkId::new(id), fixed_ip: address },
        (None, Some(id)) => NicWish::Port(PortId::new(id)),
        (None, None) => NicWish::Any,
    };
    Ok((wish, tag))
}

fn uuid(asked: &mut Object, key: &str) -> Read<Option<String>> {
    let parse = |text: String| match uuid::Uuid::try_parse(&text) {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err(wrong(key, &json!(text), "It is not a 'uuid'.")),
    };
    asked.text(key, 1..=255)?.map(parse).transpose()
}

/// A machine that is off has its NICs at its next start; into one that is on the host must know how to plug them.
async fn demand(room: &Compute, cx: &Cx, act: Act) -> Read<()> {
    let guard = Guard::of(cx)?;
    action::await_devices(room, &guard).await?;
    let server = room.store.read(move |tx| guard.admit(tx, act)).await?;
    if server.power != Power::Stopped {
        action::demand(room, cx, act, Feature::HotPlug).await?;
    }
    Ok(())
}

async fn plan(room: &Compute, cx: &Cx, wish: NicWish) -> Read<NicAsk> {
    let is_any = matches!(wish, NicWish::Any);
    let planned = room.ports.plan(cx.caller()?, &[wish], &[]).await.map_err(|refusal| match refusal.kind {
        RefusalKind::Conflict if is_any => Fault::bad_request(refusal.message),
        _ => refusal.into(),
    })?;
    let none = || Fault::bad_request("No specific network was requested and none are available for the project.");
    planned.into_iter().next().ok_or_else(none)
}

fn given_up(server: &Server, port: &PortId) -> Fault {
    let cause = server.fault.as_ref().map(|fault| format!(" {}", fault.message)).unwrap_or_default();
    Refusal::conflict(format!("The interface {port} of instance {} came to nothing.{cause}", server.id)).into()
}

impl Compute {
    /// Takes the first step at once, so that the answer can tell of it; whoever asked hears why it cannot be taken.
    async fn wire_now(&self, server: &Server) -> Read<()> {
        let id = server.id.clone();
        let claims = self.store.read(move |tx| claim::of_server(tx, &id)).await?;
        let Some(operation) = server.open() else { return Ok(()) };
        let refused = match self.wire(&Taken { server, operation, claims: &claims }).await {
            // Where the reconciler was faster it took the same step.
            Ok(()) | Err(Error::Store(store::Error::Conflict)) => return Ok(()),
            Err(refused) => refused,
        };
        self.undo(server, &refused).await?;
        Err(match refused {
            Error::Refused(refusal) if refusal.kind == RefusalKind::Exhausted => Fault::bad_request(refusal.message),
            error => error.into(),
        })
    }

    pub(super) async fn undo(&self, server: &Server, refused: &Error) -> Result<()> {
        match self.give_up(server, refused.to_string(), |_| {}).await {
            Err(Error::Store(store::Error::Conflict)) => Ok(()),
            undone => undone,
        }
    }
}

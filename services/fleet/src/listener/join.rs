// SPDX-License-Identifier: Apache-2.0
//! A host becomes a node, and a node renews its certificate.

use contracts::{
    Refusal,
    node::{JoinReply, JoinRequest, RenewRequest, SPOKEN, Versions},
};
use http::{Response, StatusCode};
use store::{Actor, Tx};
use types::NodeId;

use super::{Body, reply};
use crate::{
    Fleet, Result,
    authority::{CheckedRequest, Issued},
    certificate, node,
    token::{self, Opened},
};

pub(super) async fn join(fleet: &Fleet, request: JoinRequest) -> Result<Response<Body>> {
    common(request.speaks)?;
    node::check_hostname(&request.hostname)?;
    let checked = CheckedRequest::read(&request.certificate_request)?;
    let (secret, key) = (request.token.clone(), checked.key_hash.clone());
    let opened = fleet.inner.store.read(move |tx| token::open(tx, &secret, &key)).await?;
    let node = match opened {
        Opened::Fresh => NodeId::generate(),
        Opened::Again { node } => node,
    };
    let issued = fleet.inner.authority.sign_node(&node, &checked)?;
    work::crash::point("fleet.join.signed");

    let (id, kept, key) = (node.clone(), issued.clone(), checked.key_hash);
    let admit = move |tx: &mut Tx| -> Result<()> {
        // Looked at again: another request with this token may have come in between.
        match token::open(tx, &request.token, &key)? {
            Opened::Fresh => {
                token::mark_used(tx, &request.token, &key, &id)?;
                let actor = Actor::system("fleet");
                node::changing(tx, &actor, "node.join", &id, |tx| node::insert(tx, &id, &request.hostname))?;
            }
            Opened::Again { node } if node == id => drop(node::get(tx, &id)?),
            Opened::Again { .. } => return Err(Refusal::conflict("the token was used at this moment: try again").into()),
        }
        certificate::insert(tx, &id, &kept)
    };
    fleet.inner.store.write(admit).await?;
    work::crash::point("fleet.join.durable");
    Ok(joined(fleet, node, issued))
}

pub(super) async fn renew(fleet: &Fleet, node: NodeId, request: RenewRequest) -> Result<Response<Body>> {
    let checked = CheckedRequest::read(&request.certificate_request)?;
    let issued = fleet.inner.authority.sign_node(&node, &checked)?;
    let (id, kept) = (node.clone(), issued.clone());
    fleet.inner.store.write(move |tx: &mut Tx| certificate::insert(tx, &id, &kept)).await?;
    Ok(joined(fleet, node, issued))
}

/// The version in which both sides speak.
pub(super) fn common(theirs: Versions) -> Result<u32> {
    let message = || {
        let way_out =
            if theirs.newest < SPOKEN.oldest() { "bring the host up to date" } else { "bring the controllers up to date first" };
        format!("the controller speaks protocol {SPOKEN}, the node {theirs}, and there is none in common: {way_out}")
    };
    SPOKEN.common(theirs).ok_or_else(|| Refusal::invalid(message()).into())
}

fn joined(fleet: &Fleet, node_id: NodeId, issued: Issued) -> Response<Body> {
    let authority = fleet.inner.authority.certificate().to_owned();
    reply(StatusCode::OK, &JoinReply { node_id, certificate: issued.pem, authority })
}

// SPDX-License-Identifier: Apache-2.0
//! `/v3/credentials`

use std::sync::Arc;

use access::Policy;
use api::{Cx, Reply, Routes, no_content};
use types::CredentialId;

use super::{Credential, CredentialUpdate, NewCredential, blob, blob::Ec2Blob, store};
use crate::{
    Identity,
    body::{merge, own_attributes, refuse_change},
    delegation::Delegation,
    error::{Error, Result},
    filter, reply,
};

static LIST: Policy = Policy::new("identity:list_credentials", READ, "List credentials").also_for_domains();
static GET: Policy = Policy::new("identity:get_credential", READ, "Show a credential").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_credential", WRITE, "Keep a credential").also_for_domains();
static UPDATE: Policy = Policy::new("identity:update_credential", WRITE, "Change a credential").also_for_domains();
static DELETE: Policy = Policy::new("identity:delete_credential", WRITE, "Delete a credential").also_for_domains();

pub const READ: &str = "rule:admin_required or (role:reader and system_scope:all) or user_id:%(target.credential.user_id)s";
const WRITE: &str = "rule:admin_required or user_id:%(target.credential.user_id)s";

pub const POLICIES: [&Policy; 5] = [&LIST, &GET, &CREATE, &UPDATE, &DELETE];

pub fn routes(room: Arc<Identity>) -> Routes<Identity> {
    Routes::new(room)
        .get("/v3/credentials", &LIST, list)
        .post("/v3/credentials", &CREATE, create)
        .get("/v3/credentials/{credential_id}", &GET, show)
        .patch("/v3/credentials/{credential_id}", &UPDATE, update)
        .delete("/v3/credentials/{credential_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let delegation = Delegation::of_request(&room, &cx).await?;
    let select = filter::by_text(&cx, store::select(cx.allowed()?), &[("user_id", "user_id = "), ("type", "type = ")]);
    let ring = room.credential_ring();
    let mut credentials = room.list(move |tx| store::list(tx, &ring, &select)).await?;
    credentials.retain(|credential| is_within(delegation.as_ref(), credential));
    reply::list(&cx, &credentials)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let delegation = Delegation::of_request(&room, &cx).await?;
    let (ring, allowed, id) = (room.credential_ring(), cx.allowed()?.clone(), credential_id(&cx));
    let credential = room.read(move |tx| store::get(tx, &ring, &allowed, &id)).await?;
    refuse_outside(delegation.as_ref(), &credential)?;
    reply::show(&cx, &credential)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewCredential = cx.document("credential").await?;
    let delegation = Delegation::of_request(&room, &cx).await?;
    let mut credential = Credential {
        id: CredentialId::generate(),
        user_id: new.user_id,
        project_id: new.project_id,
        kind: new.kind.as_str().to_owned(),
        blob: new.blob,
        extra: own_attributes(new.extra),
    };
    refuse_outside(delegation.as_ref(), &credential)?;
    if credential.is_ec2() {
        delegation.as_ref().map_or(Ok(()), Delegation::refuse_restricted)?;
        refuse_without_project(&credential)?;
        let mut keys = Ec2Blob::parse(&credential.blob)?;
        keys.refuse_forged_bindings(None)?;
        if delegation.is_some() {
            keys.bind(delegation.as_ref());
            credential.blob = keys.to_secret();
        }
        credential.id = blob::id_of_access_key(keys.access());
    }
    let (ring, allowed, actor, kept) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), credential.clone());
    room.store.write(move |tx| store::create(tx, &ring, &allowed, &actor, &kept)).await?;
    reply::created(&cx, &credential)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: CredentialUpdate = cx.document("credential").await?;
    let delegation = Delegation::of_request(&room, &cx).await?;
    let (ring, allowed, actor, id) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), credential_id(&cx));
    let credential = room
        .store
        .write(move |tx| {
            let before = store::get(tx, &ring, &allowed, &id)?;
            refuse_outside(delegation.as_ref(), &before)?;
            let after = updated(&before, &update)?;
            // It would speak for another user, or in another project, with keys that its owner still knows.
            let is_moved = after.user_id != before.user_id || after.project_id != before.project_id;
            if is_moved && (delegation.is_some() || !allowed.scope().is_all()) {
                return Err(Error::Forbidden("Only an administrator moves a credential to another user or project.".into()));
            }
            refuse_outside(delegation.as_ref(), &after)?;
            store::update(tx, &ring, &actor, &before, &after)?;
            Ok(after)
        })
        .await?;
    reply::show(&cx, &credential)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let delegation = Delegation::of_request(&room, &cx).await?;
    let (ring, allowed, actor, id) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), credential_id(&cx));
    room.store
        .write(move |tx| {
            let credential = store::get(tx, &ring, &allowed, &id)?;
            refuse_outside(delegation.as_ref(), &credential)?;
            store::delete(tx, &actor, &credential)
        })
        .await?;
    no_content()
}

/// What the credential would be after the update.
fn updated(before: &Credential, update: &CredentialUpdate) -> Result<Credential> {
    let mut after = before.clone();
    if let Some(user) = &update.user_id {
        after.user_id = user.clone();
    }
    if let Some(project) = &update.project_id {
        after.project_id = project.clone();
    }
    if let Some(kind) = &update.kind {
        after.kind = kind.as_str().to_owned();
    }
    if let Some(blob) = &update.blob {
        after.blob = blob.clone();
    }
    refuse_change("id", before.id.as_str(), &update.extra)?;
    merge(&mut after.extra, update.extra.clone(), &[]);
    if after.is_ec2() {
        refuse_without_project(&after)?;
        let kept = if before.is_ec2() { Some(Ec2Blob::parse(&before.blob)?) } else { None };
        Ec2Blob::parse(&after.blob)?.refuse_forged_bindings(kept.as_ref())?;
    } else if before.is_ec2() && Ec2Blob::parse(&before.blob)?.is_bound() {
        return Err(Error::Invalid("The type of a credential that stands for a delegation cannot be changed.".into()));
    }
    Ok(after)
}

fn refuse_without_project(credential: &Credential) -> Result<()> {
    match credential.project_id {
        Some(_) => Ok(()),
        None => Err(Error::Invalid("An EC2 credential is for a project: 'project_id' is missing.".into())),
    }
}

/// A delegated token reaches the credentials of its own project only; those without a project, such as the seeds of
/// one-time passwords, belong to the user alone.
pub fn is_within(delegation: Option<&Delegation>, credential: &Credential) -> bool {
    delegation.is_none_or(|delegation| credential.project_id.as_ref() == Some(&delegation.project) && !credential.is_totp())
}

pub fn refuse_outside(delegation: Option<&Delegation>, credential: &Credential) -> Result<()> {
    if is_within(delegation, credential) {
        return Ok(());
    }
    Err(Error::Forbidden("This token was delegated for one project: it reaches only the credentials of that project.".into()))
}

fn credential_id(cx: &Cx) -> CredentialId {
    CredentialId::from(cx.param("credential_id"))
}

// SPDX-License-Identifier: Apache-2.0
//! `/v3/credentials`

use std::sync::Arc;

use ::store::Tx;
use access::{Allowed, Policy, Scope};
use api::{Cx, Reply, Routes, no_content};
use types::CredentialId;

use super::{
    Credential, CredentialUpdate, NewCredential,
    blob::{self, Ec2Blob, is_within, without_secret},
    table,
};
use crate::{
    Identity,
    body::{merge, own_attributes, refuse_change},
    delegation::Delegation,
    error::{Error, Result},
    filter,
    power::{Wielder, outside},
    reply,
};

static LIST: Policy = Policy::new("identity:list_credentials", READ, "List credentials").also_for_domains();
static GET: Policy = Policy::new("identity:get_credential", READ, "Show a credential").also_for_domains();
static CREATE: Policy = Policy::new("identity:create_credential", WRITE, "Keep a credential").also_for_domains();
static UPDATE: Policy = Policy::new("identity:update_credential", WRITE, "Change a credential").also_for_domains();
static DELETE: Policy = Policy::new("identity:delete_credential", WRITE, "Delete a credential").also_for_domains();

pub const READ: &str = "rule:admin_required or (role:reader and system_scope:all) or user_id:%(target.credential.user_id)s";
const WRITE: &str = "rule:admin_required or user_id:%(target.credential.user_id)s";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/credentials", &LIST, list)
        .post("/v3/credentials", &CREATE, create)
        .get("/v3/credentials/{credential_id}", &GET, show)
        .patch("/v3/credentials/{credential_id}", &UPDATE, update)
        .delete("/v3/credentials/{credential_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let wielder = Wielder::of(&room, &cx).await?;
    let select = filter::by_text(&cx, table::select(cx.allowed()?), &[("user_id", "user_id = "), ("type", "type = ")]);
    let ring = room.credential_ring();
    let credentials = room
        .list(move |tx| {
            let found = table::list(tx, &ring, &select)?;
            told(tx, &wielder, found)
        })
        .await?;
    reply::list(&cx, &credentials)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let wielder = Wielder::of(&room, &cx).await?;
    let (ring, allowed, id) = (room.credential_ring(), cx.allowed()?.clone(), credential_id(&cx));
    let credential = room
        .read(move |tx| {
            let found = table::get(tx, &ring, &allowed, &id)?;
            told(tx, &wielder, vec![found])?.pop().ok_or_else(outside)
        })
        .await?;
    reply::show(&cx, &credential)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewCredential = cx.document("credential").await?;
    let wielder = Wielder::of(&room, &cx).await?;
    let mut credential = Credential {
        id: CredentialId::generate(),
        user_id: new.user_id,
        project_id: new.project_id,
        kind: new.kind.as_str().to_owned(),
        blob: new.blob,
        extra: own_attributes(new.extra),
    };
    if credential.is_ec2() {
        wielder.delegation().map_or(Ok(()), Delegation::refuse_restricted)?;
        refuse_without_project(&credential)?;
        let mut keys = Ec2Blob::parse(&credential.blob)?;
        keys.refuse_forged_bindings(None)?;
        if let Some(delegation) = wielder.delegation() {
            keys.bind(Some(delegation));
            credential.blob = keys.to_secret();
        }
        credential.id = blob::id_of_access_key(keys.access());
    }
    let (ring, allowed, actor) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor());
    let made = credential.clone();
    room.store
        .write(move |tx| {
            let over = wielder.over_credential(tx, made.clone())?;
            table::create(tx, &ring, &allowed, &over, &actor)
        })
        .await?;
    reply::created(&cx, &credential)
}

async fn update(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let update: CredentialUpdate = cx.document("credential").await?;
    let wielder = Wielder::of(&room, &cx).await?;
    let (ring, allowed, actor, id) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), credential_id(&cx));
    let credential = room
        .store
        .write(move |tx| {
            let before = table::get(tx, &ring, &allowed, &id)?;
            let after = updated(&before, &update)?;
            let (before, after) = (wielder.over_credential(tx, before)?, wielder.over_credential(tx, after)?);
            refuse_move(&allowed, before.subject(), after.subject())?;
            table::update(tx, &ring, &actor, &before, &after)?;
            Ok::<_, Error>(after.subject().clone())
        })
        .await?;
    reply::show(&cx, &credential)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let wielder = Wielder::of(&room, &cx).await?;
    let (ring, allowed, actor, id) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), credential_id(&cx));
    room.store
        .write(move |tx| {
            let credential = table::get(tx, &ring, &allowed, &id)?;
            let over = wielder.over_credential(tx, credential)?;
            table::delete(tx, &actor, &over)
        })
        .await?;
    no_content()
}

/// Those of the credentials that the token reaches. What proves that one is somebody is for himself, and for whoever has
/// power over everybody: others may read that a key is there, not the key.
pub fn told(tx: &mut Tx, wielder: &Wielder, mut credentials: Vec<Credential>) -> Result<Vec<Credential>> {
    credentials.retain(|credential| wielder.delegation().is_none_or(|delegation| is_within(delegation, credential)));
    let is_own = |credential: &Credential| credential.user_id == *wielder.user();
    if credentials.iter().all(is_own) || wielder.power(tx)?.is_the_clouds() {
        return Ok(credentials);
    }
    let told = |credential: Credential| if is_own(&credential) { credential } else { without_secret(credential) };
    Ok(credentials.into_iter().map(told).collect())
}

/// It would speak for another user, or in another project, with keys that its owner still knows.
fn refuse_move(allowed: &Allowed<Scope>, before: &Credential, after: &Credential) -> Result<()> {
    let is_moved = after.user_id != before.user_id || after.project_id != before.project_id;
    if is_moved && !allowed.scope().is_all() {
        return Err(Error::Forbidden("Only an administrator moves a credential to another user or project.".into()));
    }
    Ok(())
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

fn credential_id(cx: &Cx) -> CredentialId {
    CredentialId::from(cx.param("credential_id"))
}

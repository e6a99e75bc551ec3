// SPDX-License-Identifier: Apache-2.0
//! `/v3/users/{user_id}/credentials/OS-EC2`: credentials of the type `ec2` in the words of EC2.

use std::sync::Arc;

use access::{Allowed, Policy, Scope, keys::KeyRing};
use api::{Cx, Fault, Reply, Routes, json, no_content};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Tx;
use types::{ProjectId, UserId};

use crate::{
    Identity,
    credential::{
        Credential, EC2,
        api::{READ, told},
        blob::{self, Ec2Blob},
        table as credentials,
    },
    delegation::Delegation,
    error::{Error, Result},
    power::{Wielder, outside},
    reply,
    user::table as users,
};

static LIST: Policy = Policy::new(
    "identity:ec2_list_credentials",
    "rule:admin_required or (role:reader and system_scope:all) or rule:owner",
    "List a user's EC2 keys",
);
static GET: Policy = Policy::new("identity:ec2_get_credential", READ, "Show an EC2 key");
static CREATE: Policy = Policy::new("identity:ec2_create_credential", WRITE, "Make an EC2 key");
static DELETE: Policy = Policy::new("identity:ec2_delete_credential", WRITE, "Delete an EC2 key");

const WRITE: &str = "rule:admin_required or (role:member and user_id:%(target.credential.user_id)s)";

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/users/{user_id}/credentials/OS-EC2", &LIST, list)
        .post("/v3/users/{user_id}/credentials/OS-EC2", &CREATE, create)
        .get("/v3/users/{user_id}/credentials/OS-EC2/{credential_id}", &GET, show)
        .missing_first(look)
        .delete("/v3/users/{user_id}/credentials/OS-EC2/{credential_id}", &DELETE, delete)
        .missing_first(look)
}

#[derive(Deserialize)]
struct NewKey {
    tenant_id: ProjectId,
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let wielder = Wielder::of(&room, &cx).await?;
    let (ring, allowed, user) = (room.credential_ring(), cx.allowed()?.clone(), user_id(&cx));
    let keys = room
        .list(move |tx| {
            refuse_others(tx, &allowed, &user)?;
            let select = credentials::select(&allowed).filter("user_id = ", &user).filter("type = ", EC2);
            let keys = credentials::list(tx, &ring, &select)?;
            told(tx, &wielder, keys)
        })
        .await?;
    let views = keys.iter().map(|key| view(&cx, key)).collect::<Result<Vec<_>>>()?;
    reply::collection(&cx, "credentials", &views)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let wielder = Wielder::of(&room, &cx).await?;
    let (ring, allowed, named) = (room.credential_ring(), cx.allowed()?.clone(), Named::of(&cx));
    let key = room
        .read(move |tx| {
            let key = named.find(tx, &ring, &allowed)?;
            told(tx, &wielder, vec![key])?.pop().ok_or_else(outside)
        })
        .await?;
    one(&cx, StatusCode::OK, &key)
}

async fn create(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let new: NewKey = cx.json().await?;
    let wielder = Wielder::of(&room, &cx).await?;
    wielder.delegation().map_or(Ok(()), Delegation::refuse_restricted)?;
    let keys = Ec2Blob::generate(wielder.delegation());
    let key = Credential {
        id: blob::id_of_access_key(keys.access()),
        user_id: user_id(&cx),
        project_id: Some(new.tenant_id),
        kind: EC2.to_owned(),
        blob: keys.to_secret(),
        extra: Default::default(),
    };
    let (ring, allowed, actor, made) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), key.clone());
    room.store
        .write(move |tx| {
            refuse_others(tx, &allowed, &made.user_id)?;
            let over = wielder.over_credential(tx, made.clone())?;
            credentials::create(tx, &ring, &allowed, &over, &actor)
        })
        .await?;
    one(&cx, StatusCode::CREATED, &key)
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let wielder = Wielder::of(&room, &cx).await?;
    let (ring, allowed, actor, named) = (room.credential_ring(), cx.allowed()?.clone(), cx.actor(), Named::of(&cx));
    room.store
        .write(move |tx| {
            let key = named.find(tx, &ring, &allowed)?;
            let over = wielder.over_credential(tx, key)?;
            credentials::delete(tx, &actor, &over)
        })
        .await?;
    no_content()
}

/// A key as the path names it: by its user and its access key.
struct Named {
    user: UserId,
    access: String,
}

impl Named {
    fn of(cx: &Cx) -> Self {
        Self { user: user_id(cx), access: cx.param("credential_id").to_owned() }
    }

    /// Whether it is there, its owner decides who may have it, and of the user in the path nothing but that there is one.
    fn find(&self, tx: &mut Tx, ring: &KeyRing, allowed: &Allowed<Scope>) -> Result<Credential> {
        self.look(tx, ring)?;
        let key = credentials::get(tx, ring, allowed, &blob::id_of_access_key(&self.access))?;
        users::find(tx, &self.user)?.ok_or_else(|| Error::not_found("user", self.user.as_str()))?;
        Ok(key)
    }

    fn look(&self, tx: &mut Tx, ring: &KeyRing) -> Result<()> {
        let found = credentials::find(tx, ring, &blob::id_of_access_key(&self.access))?.filter(Credential::is_ec2);
        found.map(|_| ()).ok_or_else(|| Error::not_found("credential", self.access.as_str()))
    }
}

/// Says that there is no such key, if there is none: to anybody who asks, as in Keystone.
fn look(room: Arc<Identity>, cx: &Cx) -> impl Future<Output = Result<(), Fault>> + use<> {
    let (ring, named) = (room.credential_ring(), Named::of(cx));
    async move { Ok(room.read(move |tx| named.look(tx, &ring)).await?) }
}

fn refuse_others(tx: &mut Tx, allowed: &Allowed<Scope>, user: &UserId) -> Result<()> {
    let is_within = allowed.scope().is_all() || allowed.scope().user() == Some(user);
    let is_there = is_within && users::find(tx, user)?.is_some();
    if is_there { Ok(()) } else { Err(Error::out_of_reach(allowed, "user", user.as_str())) }
}

fn one(cx: &Cx, status: StatusCode, key: &Credential) -> Reply {
    json(status, &json!({"credential": view(cx, key).map_err(Fault::from)?}))
}

fn view(cx: &Cx, key: &Credential) -> Result<Value> {
    let keys = Ec2Blob::parse(&key.blob)?;
    let own = cx.url(&format!("/v3/users/{}/credentials/OS-EC2/{}", key.user_id, keys.access()));
    Ok(json!({
        "user_id": key.user_id,
        "tenant_id": key.project_id,
        "access": keys.access(),
        "secret": keys.secret().map(|secret| secret.reveal().clone()),
        "trust_id": keys.trust_id(),
        "links": {"self": own},
    }))
}

fn user_id(cx: &Cx) -> UserId {
    UserId::from(cx.param("user_id"))
}

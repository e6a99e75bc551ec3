// SPDX-License-Identifier: Apache-2.0
//! `/os-keypairs`.

use std::sync::Arc;

use access::Policy;
use api::{Cx, Fault, Paging, PagingHabits, Reply, Routes, Shown, attributes};
use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use types::{Microversion, Timestamp, UserId};

use super::{Keypair, key, table};
use crate::{
    Compute,
    error::{Error, Result},
    input::{Object, Read, document, wrong},
    keypair::policy,
    links, query,
    quota::{self, Resource},
    versions::{at_least, v},
};

const KEYPAIRS: &str = "/v2.1/os-keypairs";
const KEYPAIR: &str = "/v2.1/os-keypairs/{name}";
const HABITS: PagingHabits = PagingHabits { max: 1000, default: Some(1000), default_sort: &[] };

pub(crate) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(KEYPAIRS, &policy::INDEX, list)
        .post(KEYPAIRS, &policy::CREATE, create)
        .get(KEYPAIR, &policy::SHOW, show)
        .delete(KEYPAIR, &policy::DELETE, delete)
}

async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    if at_least(cx.version, 75) {
        query::only(&cx, &["user_id"])?;
    }
    let paging = Paging::read(cx.query(), &HABITS)?;
    let paged = at_least(cx.version, 35);
    let mut select = table::select(&owner(&cx, None)?);
    if paged {
        select = query::page(select, &paging);
    }
    let keypairs = room
        .store
        .list(move |tx| -> Result<_> {
            let rows = select.rows(tx)?;
            Ok::<_, Error>(rows.iter().map(table::from_row).collect::<store::Result<Vec<_>>>()?)
        })
        .await?;
    let views: Vec<_> = keypairs.iter().map(|keypair| json!({"keypair": brief(&cx, keypair)})).collect();
    let mut document = json!({"keypairs": views});
    let last = keypairs.last().map(|keypair| keypair.name.as_str());
    if paged && let Some(next) = links::next(&cx, &paging, keypairs.len(), last) {
        document["keypairs_links"] = json!(next);
    }
    api::json(StatusCode::OK, &document)
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let (user, name) = (owner(&cx, None)?, cx.param("name").to_owned());
    let keypair = room.store.read(move |tx| table::get(tx, &user, &name)).await?;
    let mut view = brief(&cx, &keypair);
    view["user_id"] = json!(keypair.user_id);
    // Nova shows these columns of its table, and clients read them.
    view["id"] = json!(number(&keypair));
    view["created_at"] = json!(keypair.created_at.naive_micros());
    for never in ["deleted_at", "updated_at"] {
        view[never] = Value::Null;
    }
    view["deleted"] = json!(false);
    api::json(StatusCode::OK, &json!({"keypair": view}))
}

async fn create(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let mut ask = document(&mut cx, "keypair").await?;
    let name = read_name(&cx, &mut ask)?;
    let kind = if at_least(cx.version, 2) { ask.text("type", 1..=16)? } else { None }.unwrap_or_else(|| "ssh".to_owned());
    let named_user = if at_least(cx.version, 10) { ask.text("user_id", 1..=255)? } else { None };
    let public_key = ask.text("public_key", 0..=65535)?;
    if at_least(cx.version, 92) {
        ask.required("public_key", public_key.as_ref())?;
    }
    ask.finish()?;
    match kind.as_str() {
        "ssh" => {}
        "x509" => {
            return Err(Fault::bad_request(
                "Keypairs of the type x509 are for Windows guests and are not supported here; use ssh.",
            ));
        }
        _ => return Err(wrong("type", &json!(kind), "It is not one of ['ssh', 'x509'].")),
    }
    let user_id = owner(&cx, named_user.map(UserId::new))?;
    let (public_key, private_key) = match public_key {
        // As it came, with its newline: its owner compares it with his file.
        Some(line) => (line, None),
        None => key::generate().map(|(public, private)| (public, Some(private)))?,
    };
    let keypair = Keypair {
        id: uuid::Uuid::new_v4().to_string(),
        user_id,
        name,
        kind,
        fingerprint: key::ssh_fingerprint(&public_key)?,
        public_key,
        created_at: Timestamp::now(),
    };
    let (made, actor, project) = (keypair.clone(), cx.actor(), cx.caller()?.project_id().cloned());
    room.store
        .write(move |tx| -> Result<()> {
            let used = table::count(tx, &made.user_id)?;
            let most = quota::limit(tx, project.as_ref(), Resource::KeyPairs)?;
            if most >= 0 && used >= most {
                return Err(Error::over_quota(format!("Quota exceeded, too many key pairs: {used} of {most} are used.")));
            }
            table::insert(tx, &actor, &made)
        })
        .await?;
    let mut view = brief(&cx, &keypair);
    view["user_id"] = json!(keypair.user_id);
    if let Some(private_key) = private_key {
        view["private_key"] = json!(private_key);
    }
    let status = if at_least(cx.version, 2) { StatusCode::CREATED } else { StatusCode::OK };
    api::json(status, &json!({"keypair": view}))
}

async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let (user, name, actor) = (owner(&cx, None)?, cx.param("name").to_owned(), cx.actor());
    room.store.write(move |tx| table::delete(tx, &actor, &user, &name)).await?;
    Ok(api::empty(if at_least(cx.version, 2) { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED }))
}

/// Whose keypairs are meant: the caller's, or from 2.10 on another user's if the policy lets him.
fn owner(cx: &Cx, named: Option<UserId>) -> Read<UserId> {
    let asked = || cx.query().get("user_id").filter(|_| at_least(cx.version, 10)).map(UserId::new);
    let user = match named.or_else(asked) {
        Some(user) => user,
        None => cx.caller()?.user.id.clone(),
    };
    if table::admits(cx.allowed()?, &user) {
        Ok(user)
    } else {
        Err(Fault::forbidden("Policy doesn't allow the keypairs of another user to be used; that is for the operator."))
    }
}

fn read_name(cx: &Cx, ask: &mut Object) -> Read<String> {
    let name = ask.name("name")?;
    let name = ask.required("name", name)?;
    if at_least(cx.version, 92) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_ @.".contains(c);
        if !name.chars().all(plain) {
            let why = "A keypair's name holds letters, digits, blanks and the characters -_@. only.";
            return Err(wrong("name", &json!(name), why));
        }
    }
    Ok(name)
}

/// A keypair in the eyes of a request.
struct View<'a> {
    cx: &'a Cx,
    keypair: &'a Keypair,
}

impl Shown for View<'_> {
    fn version(&self) -> Microversion {
        self.cx.version
    }

    fn may(&self, _: &'static Policy) -> bool {
        true
    }
}

attributes! {
    /// What a list tells of a keypair.
    BRIEF, fn briefly(it: &View<'_>);
    "name" => it.keypair.name,
    "public_key" => it.keypair.public_key,
    "fingerprint" => it.keypair.fingerprint,
    "type" since(v(2)) => it.keypair.kind,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        briefly(self, &mut map)?;
        map.end()
    }
}

fn brief(cx: &Cx, keypair: &Keypair) -> Value {
    json!(View { cx, keypair })
}

/// A number for the `id` of older clients, the same each time.
fn number(keypair: &Keypair) -> u32 {
    let head = keypair.id.get(..8).unwrap_or_default();
    u32::from_str_radix(head, 16).unwrap_or_default() & 0x7fff_ffff
}

// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/lbaas/listeners`.

use std::{collections::BTreeMap, sync::Arc};

use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use store::Tx;
use types::{ListenerId, PoolId, Timestamp};

use super::{Listener, PROTOCOLS, TIMEOUT_CONNECT, TIMEOUT_DATA, fitting_pools, policy};
use crate::{
    Balancers, Edit,
    error::{Error, Result},
    input::{Input, document, wrong},
    load_balancer::LoadBalancer,
    pool::Pool,
    provider, quota,
    thing::{Shown, Thing, handlers},
};

const ALL: &str = "/v2.0/lbaas/listeners";
const ONE: &str = "/v2.0/lbaas/listeners/{id}";

pub(super) fn routes() -> Routes<Balancers> {
    Routes::new()
        .get(ALL, &policy::LIST, handlers::list::<Listener>)
        .post(ALL, Access::Asks(&policy::CREATE), create)
        .get(ONE, Access::Asks(&policy::SHOW), handlers::show::<Listener>)
        .put(ONE, Access::Asks(&policy::UPDATE), update)
        .delete(ONE, Access::Asks(&policy::DELETE), delete)
        .get("/v2.0/lbaas/listeners/{id}/stats", Access::Asks(&policy::STATS), stats)
}

/// What a request says beside the port. What it leaves out is none.
#[derive(Debug, Clone, Default)]
struct Says {
    name: Option<String>,
    description: Option<String>,
    admin_state_up: Option<bool>,
    tags: Option<Vec<String>>,
    connection_limit: Option<i64>,
    default_pool_id: Option<Option<PoolId>>,
    timeout_client_data: Option<i64>,
    timeout_member_connect: Option<i64>,
    timeout_member_data: Option<i64>,
    insert_headers: Option<BTreeMap<String, String>>,
    allowed_cidrs: Option<Vec<String>>,
}

/// The headers that Octavia can insert.
const HEADERS: [&str; 3] = ["X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"];
/// Milliseconds.
const LONGEST: i64 = 86_400_000;

impl Says {
    fn read(input: &mut Input) -> Result<Self, Fault> {
        let timeout = |input: &mut Input, field| Ok::<_, Fault>(input.whole_or_null(field, 0..=LONGEST)?.flatten());
        let says = Self {
            name: input.label("name")?,
            description: input.label("description")?,
            admin_state_up: input.flag("admin_state_up")?,
            tags: input.tags()?,
            connection_limit: input.whole_or_null("connection_limit", -1..=i64::from(i32::MAX))?.map(|limit| limit.unwrap_or(-1)),
            default_pool_id: input.id("default_pool_id")?.map(|id| id.map(PoolId::new)),
            timeout_client_data: timeout(input, "timeout_client_data")?,
            timeout_member_connect: timeout(input, "timeout_member_connect")?,
            timeout_member_data: timeout(input, "timeout_member_data")?,
            insert_headers: headers(input)?,
            allowed_cidrs: input.prefixes("allowed_cidrs")?,
        };
        timeout(input, "timeout_tcp_inspect")?.filter(|time| *time > 0).map_or(Ok(()), |time| {
            Err(wrong(
                "timeout_tcp_inspect",
                &json!(time),
                "Nothing looks into a connection before it is passed on; leave it out.",
            ))
        })?;
        if input.take("client_authentication").is_some_and(|value| !value.is_null() && value != "NONE") {
            return Err(no_certificates());
        }
        for field in [
            "default_tls_container_ref",
            "sni_container_refs",
            "client_ca_tls_container_ref",
            "client_crl_container_ref",
            "tls_ciphers",
            "tls_versions",
            "alpn_protocols",
            "hsts_max_age",
            "hsts_include_subdomains",
            "hsts_preload",
        ] {
            input.nothing(&[(field, NO_CERTIFICATES)])?;
        }
        Ok(says)
    }

    fn apply(&self, listener: &mut Listener) {
        fn set<T: Clone>(field: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut listener.name, &self.name);
        set(&mut listener.description, &self.description);
        set(&mut listener.admin_state_up, &self.admin_state_up);
        set(&mut listener.tags, &self.tags);
        set(&mut listener.connection_limit, &self.connection_limit);
        set(&mut listener.default_pool_id, &self.default_pool_id);
        set(&mut listener.timeout_client_data, &self.timeout_client_data);
        set(&mut listener.timeout_member_connect, &self.timeout_member_connect);
        set(&mut listener.timeout_member_data, &self.timeout_member_data);
        set(&mut listener.insert_headers, &self.insert_headers);
        set(&mut listener.allowed_cidrs, &self.allowed_cidrs);
    }
}

const NO_CERTIFICATES: &str =
    "This cloud keeps no certificates for load balancers: pass TLS through with the protocol HTTPS or TCP.";

fn no_certificates() -> Fault {
    Fault::bad_request(format!("Validation failure: {NO_CERTIFICATES}"))
}

/// Which headers requests get on their way.
fn headers(input: &mut Input) -> Result<Option<BTreeMap<String, String>>, Fault> {
    if input.take_null("insert_headers") {
        return Ok(Some(BTreeMap::new()));
    }
    let Some(asked) = input.object("insert_headers")? else { return Ok(None) };
    let mut headers = BTreeMap::new();
    for (name, value) in asked.into_fields() {
        if !HEADERS.contains(&name.as_str()) {
            return Err(wrong("insert_headers", &json!(name), &format!("Value should be one of: {}", HEADERS.join(", "))));
        }
        let is_on = value.as_bool().or_else(|| value.as_str().and_then(words::flag::oslo));
        let is_on = is_on.ok_or_else(|| wrong("insert_headers", &value, "Value should be true or false"))?;
        headers.insert(name, is_on.to_string());
    }
    Ok(Some(headers))
}

async fn create(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let mut input = document(&mut cx, Listener::ONE).await?;
    let balancer = input.required_id("loadbalancer_id")?;
    let protocol = input.required_word("protocol", &PROTOCOLS)?;
    let port = input.required_whole("protocol_port", 1..=65_535)?;
    let says = Says::read(&mut input)?;
    input.nothing(&[
        ("default_pool", "Pools are made one by one; name one by default_pool_id."),
        ("l7policies", "There are no L7 policies."),
    ])?;
    // Whose it is follows from its load balancer.
    let _ = input.owner(&cx);
    input.finish()?;
    let balancer = handlers::visible::<LoadBalancer>(&room, &cx, &policy::CREATE, &balancer).await?.into_thing();
    let made = room.change(cx.actor(), balancer.id.clone(), move |tx, edit| {
        quota::take(tx, &edit.balancer.project_id, &quota::LISTENERS, 1)?;
        let mut listener = fresh(edit, &protocol, port);
        says.apply(&mut listener);
        refuse_taken_port(tx, &listener)?;
        check_pool(tx, &listener)?;
        listener.insert(tx, edit.actor)?;
        Ok(listener.id)
    });
    let id = made.await?;
    let made = room.store.read(move |tx| Listener::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::CREATED, made).await
}

fn fresh(edit: &Edit<'_>, protocol: &str, port: i64) -> Listener {
    Listener {
        id: ListenerId::generate(),
        project_id: edit.balancer.project_id.clone(),
        load_balancer_id: edit.balancer.id.clone(),
        name: String::new(),
        description: String::new(),
        admin_state_up: true,
        tags: Vec::new(),
        protocol: protocol.to_owned(),
        protocol_port: port,
        connection_limit: -1,
        default_pool_id: None,
        timeout_client_data: TIMEOUT_DATA,
        timeout_member_connect: TIMEOUT_CONNECT,
        timeout_member_data: TIMEOUT_DATA,
        insert_headers: BTreeMap::new(),
        allowed_cidrs: Vec::new(),
        provisioning_status: "PENDING_CREATE".to_owned(),
        operating_status: "OFFLINE".to_owned(),
        changed_in: edit.balancer.generation,
        created_at: Timestamp::now(),
        updated_at: None,
    }
}

/// One listener hears at a port of a transport.
fn refuse_taken_port(tx: &mut Tx, listener: &Listener) -> Result<()> {
    let transport = provider::transport(&listener.protocol);
    let others = Listener::of(tx, &listener.load_balancer_id)?;
    let twin = others.iter().any(|other| {
        other.id != listener.id
            && other.protocol_port == listener.protocol_port
            && provider::transport(&other.protocol) == transport
    });
    if !twin {
        return Ok(());
    }
    let (port, protocol) = (listener.protocol_port, &listener.protocol);
    Err(Error::conflict(format!(
        "Another Listener on this Load Balancer is already using protocol_port {port} and protocol {protocol}."
    )))
}

/// The default pool is of the same load balancer, and speaks what the listener can pass on.
fn check_pool(tx: &mut Tx, listener: &Listener) -> Result<()> {
    let Some(id) = &listener.default_pool_id else { return Ok(()) };
    let pool = Pool::get(tx, id.as_str())?;
    if pool.load_balancer_id != listener.load_balancer_id {
        return Err(Error::missing(Pool::WORD, id.as_str()));
    }
    match fitting_pools(&listener.protocol).contains(&pool.protocol.as_str()) {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "The pool protocol '{}' is invalid while the listener protocol is '{}'.",
            pool.protocol, listener.protocol
        ))),
    }
}

async fn update(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let listener = handlers::visible::<Listener>(&room, &cx, &policy::UPDATE, &id).await?.into_thing();
    let mut input = document(&mut cx, Listener::ONE).await?;
    let says = Says::read(&mut input)?;
    input.finish()?;
    let changed = room.change(cx.actor(), listener.load_balancer_id, move |tx, edit| {
        let before = Listener::get(tx, &id)?;
        let mut after = before.clone();
        says.apply(&mut after);
        check_pool(tx, &after)?;
        edit.touch(&mut after.provisioning_status, &mut after.changed_in);
        after.updated_at = Some(Timestamp::now());
        after.save(tx, edit.actor, &before)?;
        Ok(after.id)
    });
    let id = changed.await?;
    let changed = room.store.read(move |tx| Listener::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::OK, changed).await
}

async fn delete(room: Arc<Balancers>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let listener = handlers::visible::<Listener>(&room, &cx, &policy::DELETE, &id).await?.into_thing();
    let gone = room.change(cx.actor(), listener.load_balancer_id, move |tx, edit| match Listener::find(tx, &id)? {
        Some(listener) => listener.remove(tx, edit.actor),
        None => Ok(()),
    });
    gone.await?;
    api::no_content()
}

async fn stats(room: Arc<Balancers>, cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let listener = handlers::visible::<Listener>(&room, &cx, &policy::STATS, &id).await?.into_thing();
    let balancer = room.store.read(move |tx| LoadBalancer::get(tx, listener.load_balancer_id.as_str())).await?;
    api::json(StatusCode::OK, &json!({"stats": provider::stats(&balancer.provider)}))
}

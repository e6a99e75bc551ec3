// SPDX-License-Identifier: Apache-2.0
//! `/v2.0/lbaas/healthmonitors`.

use std::sync::Arc;

use api::{Access, Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use types::{HealthMonitorId, PoolId, Timestamp};

use super::{HealthMonitor, TYPES, policy};
use crate::{
    Balancers,
    error::{Error, Result},
    input::{Input, Read, document, wrong},
    pool::Pool,
    quota,
    thing::{Shown, Thing, handlers},
};

const ALL: &str = "/v2.0/lbaas/healthmonitors";
const ONE: &str = "/v2.0/lbaas/healthmonitors/{id}";

pub(super) fn routes() -> Routes<Balancers> {
    Routes::new()
        .get(ALL, &policy::LIST, handlers::list::<HealthMonitor>)
        .post(ALL, Access::Asks(&policy::CREATE), create)
        .get(ONE, Access::Asks(&policy::SHOW), handlers::show::<HealthMonitor>)
        .put(ONE, Access::Asks(&policy::UPDATE), update)
        .delete(ONE, Access::Asks(&policy::DELETE), delete)
}

#[derive(Debug, Clone, Default)]
struct Says {
    name: Option<String>,
    admin_state_up: Option<bool>,
    tags: Option<Vec<String>>,
    delay: Option<i64>,
    timeout: Option<i64>,
    max_retries: Option<i64>,
    max_retries_down: Option<i64>,
    http_method: Option<String>,
    url_path: Option<String>,
    expected_codes: Option<String>,
    http_version: Option<String>,
    domain_name: Option<Option<String>>,
}

const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
/// Seconds.
const LONGEST: i64 = 3600;

impl Says {
    fn read(input: &mut Input) -> Read<Self> {
        let version = match input.take_some("http_version") {
            None => None,
            Some(value) => match value.to_string().trim_matches('"') {
                "1.0" | "1" => Some("1.0".to_owned()),
                "1.1" => Some("1.1".to_owned()),
                _ => return Err(wrong("http_version", &value, "Value should be one of: 1.0, 1.1")),
            },
        };
        let says = Self {
            name: input.label("name")?,
            admin_state_up: input.flag("admin_state_up")?,
            tags: input.tags()?,
            delay: input.whole("delay", 1..=LONGEST)?,
            timeout: input.whole("timeout", 1..=LONGEST)?,
            max_retries: input.whole("max_retries", 1..=10)?,
            max_retries_down: input.whole_or_null("max_retries_down", 1..=10)?.map(|count| count.unwrap_or(3)),
            http_method: some_word(input, "http_method", &METHODS)?,
            url_path: input.text_or_null("url_path", 1..=2048)?.flatten(),
            expected_codes: input.text_or_null("expected_codes", 1..=64)?.flatten(),
            http_version: version,
            domain_name: input.text_or_null("domain_name", 1..=255)?,
        };
        says.check()?;
        Ok(says)
    }

    /// What goes into a request has no character in it that could end a line of it.
    fn check(&self) -> Read<()> {
        let is_path = |path: &str| path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(path) = self.url_path.as_ref().filter(|path| !is_path(path)) {
            return Err(wrong("url_path", &json!(path), "Value should be a path that begins with a slash"));
        }
        if let Some(codes) = self.expected_codes.as_ref().filter(|codes| !are_codes(codes)) {
            return Err(wrong("expected_codes", &json!(codes), "Value should be codes such as 200, 200,202 or 200-204"));
        }
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        match self.domain_name.as_ref().and_then(Option::as_ref).filter(|name| !is_name(name)) {
            Some(name) => Err(wrong("domain_name", &json!(name), "Value should be the name of a host")),
            None => Ok(()),
        }
    }

    fn apply(&self, monitor: &mut HealthMonitor) -> Result<()> {
        fn set<T: Clone>(field: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut monitor.name, &self.name);
        set(&mut monitor.admin_state_up, &self.admin_state_up);
        set(&mut monitor.tags, &self.tags);
        set(&mut monitor.delay, &self.delay);
        set(&mut monitor.timeout, &self.timeout);
        set(&mut monitor.max_retries, &self.max_retries);
        set(&mut monitor.max_retries_down, &self.max_retries_down);
        if monitor.delay < monitor.timeout {
            return Err(Error::invalid("The delay should be as long as the timeout, or longer."));
        }
        let of_http = [&self.http_method, &self.url_path, &self.expected_codes, &self.http_version];
        if !monitor.speaks_http() {
            let is_said = of_http.iter().any(|said| said.is_some()) || self.domain_name.as_ref().is_some_and(Option::is_some);
            let message =
                "http_method, url_path, expected_codes, http_version and domain_name are of monitors of type HTTP or HTTPS.";
            return if is_said { Err(Error::invalid(message)) } else { Ok(()) };
        }
        let own = |said: &Option<String>, had: &Option<String>, usual: &str| {
            said.clone().or_else(|| had.clone()).or_else(|| Some(usual.to_owned()))
        };
        monitor.http_method = own(&self.http_method, &monitor.http_method, "GET");
        monitor.url_path = own(&self.url_path, &monitor.url_path, "/");
        monitor.expected_codes = own(&self.expected_codes, &monitor.expected_codes, "200");
        set(&mut monitor.http_version, &self.http_version.clone().map(Some));
        set(&mut monitor.domain_name, &self.domain_name);
        match (&monitor.domain_name, monitor.http_version.as_deref()) {
            (Some(_), Some("1.1")) | (None, _) => Ok(()),
            (Some(_), _) => Err(Error::invalid("'http_version' must be 1.1 where there is a 'domain_name'.")),
        }
    }
}

fn some_word(input: &mut Input, field: &'static str, words: &[&str]) -> Read<Option<String>> {
    if input.take_null(field) { Ok(None) } else { input.word(field, words) }
}

/// `200`, `200,202` or `200-204`
pub(super) fn are_codes(text: &str) -> bool {
    let is_code = |part: &str| part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        Some((from, to)) => is_code(from) && is_code(to) && from <= to,
        None => text.split(',').all(|part| is_code(part.trim())),
    }
}

async fn create(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let mut input = document(&mut cx, HealthMonitor::ONE).await?;
    let pool = input.required_id("pool_id")?;
    let kind = input.required_word("type", &TYPES)?;
    let says = Says::read(&mut input)?;
    let delay = input.required("delay", says.delay)?;
    let timeout = input.required("timeout", says.timeout)?;
    let max_retries = input.required("max_retries", says.max_retries)?;
    // Whose it is follows from its pool.
    let _ = input.owner(&cx);
    input.finish()?;
    let pool = handlers::visible::<Pool>(&room, &cx, &policy::CREATE, &pool).await?.into_thing();
    let made = room.change(cx.actor(), pool.load_balancer_id.clone(), move |tx, edit| {
        quota::take(tx, &pool.project_id, &quota::HEALTH_MONITORS, 1)?;
        let pool = Pool::get(tx, pool.id.as_str())?;
        if HealthMonitor::of(tx, &edit.balancer.id)?.iter().any(|other| other.pool_id == pool.id) {
            return Err(Error::conflict("This pool already has a health monitor"));
        }
        let mut monitor = HealthMonitor {
            id: HealthMonitorId::generate(),
            project_id: pool.project_id.clone(),
            load_balancer_id: edit.balancer.id.clone(),
            pool_id: PoolId::new(pool.id.as_str()),
            name: String::new(),
            admin_state_up: true,
            tags: Vec::new(),
            r#type: kind.clone(),
            delay,
            timeout,
            max_retries,
            max_retries_down: 3,
            http_method: None,
            url_path: None,
            expected_codes: None,
            http_version: None,
            domain_name: None,
            provisioning_status: "PENDING_CREATE".to_owned(),
            operating_status: "OFFLINE".to_owned(),
            changed_in: edit.balancer.generation,
            created_at: Timestamp::now(),
            updated_at: None,
        };
        says.apply(&mut monitor)?;
        monitor.insert(tx, edit.actor)?;
        Ok(monitor.id)
    });
    let id = made.await?;
    let made = room.store.read(move |tx| HealthMonitor::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::CREATED, made).await
}

async fn update(room: Arc<Balancers>, mut cx: Cx) -> Reply {
    let id = cx.param("id").to_owned();
    let monitor = handlers::visible::<HealthMonitor>(&room, &cx, &policy::UPDATE, &id).await?.into_thing();
    let mut input = document(&mut cx, HealthMonitor::ONE).await?;
    let says = Says::read(&mut input)?;
    input.finish()?;
    let changed = room.change(cx.actor(), monitor.load_balancer_id, move |tx, edit| -> Result<_> {
        let before = HealthMonitor::get(tx, &id)?;
        let mut after = before.clone();
        says.apply(&mut after)?;
        edit.touch(&mut after.provisioning_status, &mut after.changed_in);
        after.updated_at = Some(Timestamp::now());
        after.save(tx, edit.actor, &before)?;
        Ok(after.id)
    });
    let id = changed.await?;
    let changed = room.store.read(move |tx| HealthMonitor::get(tx, id.as_str())).await?;
    handlers::render(&room, &cx, StatusCode::OK, changed).await
}

async fn delete(room: Arc<Balancers>, cx: Cx) -> Result<api::Response, Fault> {
    let id = cx.param("id").to_owned();
    let monitor = handlers::visible::<HealthMonitor>(&room, &cx, &policy::DELETE, &id).await?.into_thing();
    let gone = room.change(cx.actor(), monitor.load_balancer_id, move |tx, edit| match HealthMonitor::find(tx, &id)? {
        Some(monitor) => monitor.remove(tx, edit.actor),
        None => Ok(()),
    });
    gone.await?;
    api::no_content()
}

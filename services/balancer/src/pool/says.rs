// SPDX-License-Identifier: Apache-2.0
//! What a request says of a pool.

use api::Fault;
use serde_json::json;

use super::{ALGORITHMS, Persistence, Pool};
use crate::input::{Input, Read, wrong};

#[derive(Debug, Clone, Default)]
pub(super) struct Says {
    name: Option<String>,
    description: Option<String>,
    admin_state_up: Option<bool>,
    tags: Option<Vec<String>>,
    pub lb_algorithm: Option<String>,
    session_persistence: Option<Option<Persistence>>,
}

/// Seconds.
const LONGEST: i64 = 86_400;

impl Says {
    pub fn read(input: &mut Input) -> Read<Self> {
        let says = Self {
            name: input.label("name")?,
            description: input.label("description")?,
            admin_state_up: input.flag("admin_state_up")?,
            tags: input.tags()?,
            lb_algorithm: input.word("lb_algorithm", &ALGORITHMS)?,
            session_persistence: persistence(input)?,
        };
        for field in [
            "tls_container_ref",
            "ca_tls_container_ref",
            "crl_container_ref",
            "tls_enabled",
            "tls_ciphers",
            "tls_versions",
            "alpn_protocols",
        ] {
            input.nothing(&[(field, "This cloud keeps no certificates for load balancers.")])?;
        }
        Ok(says)
    }

    pub fn apply(&self, pool: &mut Pool) {
        fn set<T: Clone>(field: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut pool.name, &self.name);
        set(&mut pool.description, &self.description);
        set(&mut pool.admin_state_up, &self.admin_state_up);
        set(&mut pool.tags, &self.tags);
        set(&mut pool.lb_algorithm, &self.lb_algorithm);
        set(&mut pool.session_persistence, &self.session_persistence);
    }
}

fn persistence(input: &mut Input) -> Read<Option<Option<Persistence>>> {
    if input.take_null("session_persistence") {
        return Ok(Some(None));
    }
    let Some(asked) = input.take("session_persistence") else { return Ok(None) };
    let mut asked = Input::of("session_persistence", asked)?;
    let kind = asked.required_word("type", &["SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"])?;
    let cookie_name = asked.text_or_null("cookie_name", 1..=255)?.flatten();
    let persistence_timeout = asked.whole_or_null("persistence_timeout", 1..=LONGEST)?.flatten();
    let persistence_granularity = asked.text_or_null("persistence_granularity", 0..=64)?.flatten();
    asked.finish()?;
    match (&cookie_name, kind.as_str()) {
        (Some(name), "APP_COOKIE") if !is_token(name) => {
            return Err(wrong("cookie_name", &json!(name), "Value should be a valid cookie name"));
        }
        (Some(_), "APP_COOKIE") | (None, "SOURCE_IP" | "HTTP_COOKIE") => {}
        (None, _) => return Err(invalid("session_persistence of type APP_COOKIE requires a cookie_name")),
        (Some(_), _) => return Err(invalid(&format!("session_persistence of type {kind} must not have a cookie_name"))),
    }
    Ok(Some(Some(Persistence { r#type: kind, cookie_name, persistence_timeout, persistence_granularity })))
}

/// What HTTP lets a cookie be called.
fn is_token(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn invalid(detail: &str) -> Fault {
    Fault::bad_request(format!("Validation failure: {detail}"))
}

// SPDX-License-Identifier: Apache-2.0
//! `/v3/users/{user_id}/access_rules`

use std::sync::Arc;

use ::access::Policy;
use ::api::{Cx, Reply, Routes, json, no_content};
use contracts::caller::AccessRule;
use http::StatusCode;
use serde_json::{Value, json};
use types::UserId;

use super::table;
use crate::{Identity, reply};

// Not an administrator of a project: what programs of a user may do is for him, and for the system's own people.
const READ: &str = "(role:reader and system_scope:all) or user_id:%(target.user.id)s";
const DELETE_ONE: &str = "(role:admin and system_scope:all) or user_id:%(target.user.id)s";

static LIST: Policy = Policy::new("identity:list_access_rules", READ, "List a user's access rules");
static GET: Policy = Policy::new("identity:get_access_rule", READ, "Show an access rule");
static DELETE: Policy = Policy::new("identity:delete_access_rule", DELETE_ONE, "Delete an access rule");

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .get("/v3/users/{user_id}/access_rules", &LIST, list)
        .get("/v3/users/{user_id}/access_rules/{rule_id}", &GET, show)
        .delete("/v3/users/{user_id}/access_rules/{rule_id}", &DELETE, delete)
}

async fn list(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, user) = (cx.allowed()?.clone(), user_id(&cx));
    let rules = room.list(move |tx| table::list(tx, &allowed, &user)).await?;
    let is_asked = |name: &str, value: &str| cx.query().get(name).is_none_or(|asked| asked == value);
    let views: Vec<Value> = rules
        .iter()
        .filter(|rule| is_asked("service", &rule.service) && is_asked("path", &rule.path) && is_asked("method", &rule.method))
        .map(|rule| view(&cx, rule))
        .collect();
    reply::collection(&cx, "access_rules", &views)
}

async fn show(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, user, id) = (cx.allowed()?.clone(), user_id(&cx), cx.param("rule_id").to_owned());
    let rule = room.read(move |tx| table::get(tx, &allowed, &user, &id)).await?;
    json(StatusCode::OK, &json!({"access_rule": view(&cx, &rule)}))
}

async fn delete(room: Arc<Identity>, cx: Cx) -> Reply {
    let (allowed, actor, user) = (cx.allowed()?.clone(), cx.actor(), user_id(&cx));
    let id = cx.param("rule_id").to_owned();
    room.change(move |tx| table::delete(tx, &allowed, &actor, &user, &id)).await?;
    no_content()
}

fn view(cx: &Cx, rule: &AccessRule) -> Value {
    let mut view = json!(super::view(rule));
    let own = cx.url(&format!("/v3/users/{}/access_rules/{}", cx.param("user_id"), rule.id));
    view["links"] = json!({"self": own});
    view
}

fn user_id(cx: &Cx) -> UserId {
    UserId::from(cx.param("user_id"))
}

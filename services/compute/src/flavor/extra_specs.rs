// SPDX-License-Identifier: Apache-2.0
//! `/flavors/{id}/os-extra_specs`: hints of the operator to scheduler and host.

use std::{collections::BTreeMap, sync::Arc};

use api::{Cx, Fault, Reply, Routes};
use http::StatusCode;
use serde_json::json;
use store::params;
use types::FlavorId;

use super::{
    table::{self as table, Viewer},
    viewer::viewer,
};
use crate::{
    Compute,
    error::{Error, Result},
    flavor::policy,
    input::{Read, body, document},
    versions::at_least,
};

const SPECS: &str = "/v2.1/flavors/{id}/os-extra_specs";
const SPEC: &str = "/v2.1/flavors/{id}/os-extra_specs/{key}";

type Specs = BTreeMap<String, String>;

pub(super) fn routes() -> Routes<Compute> {
    Routes::new()
        .get(SPECS, &policy::EXTRA_SPECS_INDEX, list)
        .get(SPEC, &policy::EXTRA_SPECS_SHOW, show)
        .post(SPECS, &policy::EXTRA_SPECS_CREATE, create)
        .put(SPEC, &policy::EXTRA_SPECS_UPDATE, update)
        .delete(SPEC, &policy::EXTRA_SPECS_DELETE, delete)
}

async fn list(room: Arc<Compute>, cx: Cx) -> Reply {
    let specs = specs(&room, &cx).await?;
    api::json(StatusCode::OK, &json!({"extra_specs": specs}))
}

async fn show(room: Arc<Compute>, cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    let mut specs = specs(&room, &cx).await?;
    let value = specs.remove(&key).ok_or_else(|| Fault::from(missing(cx.param("id"), &key)))?;
    api::json(StatusCode::OK, &json!({key: value}))
}

async fn create(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let added = document(&mut cx, "extra_specs").await?.into_texts()?;
    check(&cx, &added)?;
    change(&room, &cx, {
        let added = added.clone();
        move |specs| {
            specs.extend(added.clone());
            Ok(())
        }
    })
    .await?;
    api::json(StatusCode::OK, &json!({"extra_specs": added}))
}

async fn update(room: Arc<Compute>, mut cx: Cx) -> Reply {
    let key = cx.param("key").to_owned();
    let set = body(&mut cx).await?.into_texts()?;
    if set.len() != 1 || !set.contains_key(&key) {
        return Err(Fault::bad_request("Request body and URI mismatch: the body holds the key of the path, and only it."));
    }
    check(&cx, &set)?;
    change(&room, &cx, {
        let set = set.clone();
        move |specs| {
            specs.extend(set.clone());
            Ok(())
        }
    })
    .await?;
    api::json(StatusCode::OK, &json!(set))
}

async fn delete(room: Arc<Compute>, cx: Cx) -> Reply {
    let (id, key) = (cx.param("id").to_owned(), cx.param("key").to_owned());
    change(&room, &cx, move |specs| specs.remove(&key).map(drop).ok_or_else(|| missing(&id, &key))).await?;
    Ok(api::empty(StatusCode::OK))
}

async fn specs(room: &Compute, cx: &Cx) -> Read<Specs> {
    let (viewer, id) = (viewer(cx), FlavorId::new(cx.param("id")));
    Ok(room.store.read(move |tx| table::get(tx, &viewer, &id)).await?.size.extra_specs)
}

fn missing(flavor: &str, key: &str) -> Error {
    Error::not_found(format!("Flavor {flavor} has no extra specs with key {key}."))
}

async fn change(room: &Compute, cx: &Cx, edit: impl Fn(&mut Specs) -> Result<()> + Send + Sync + 'static) -> Read<()> {
    let (id, actor) = (FlavorId::new(cx.param("id")), cx.actor());
    room.store
        .write(move |tx| -> Result<_> {
            let mut specs = table::get(tx, &Viewer::Operator, &id)?.size.extra_specs;
            edit(&mut specs)?;
            table::changing(tx, &actor, "flavor.update", &id, |tx| {
                tx.execute("UPDATE flavors SET extra_specs = $1 WHERE id = $2", &params![json!(specs), &id])?;
                Ok(())
            })
        })
        .await?;
    Ok(())
}

/// From 2.86 on, a value of a spec that has a fixed set of values must be one of them. Names with a namespace of the
/// operator's own are his business.
fn check(cx: &Cx, specs: &Specs) -> Read<()> {
    if !at_least(cx.version, 86) {
        return Ok(());
    }
    for (key, value) in specs {
        let allowed: &[&str] = match key.as_str() {
            "hw:cpu_policy" => &["dedicated", "shared", "mixed"],
            "hw:cpu_thread_policy" => &["prefer", "isolate", "require"],
            "hw:emulator_threads_policy" => &["share", "isolate"],
            "hw:watchdog_action" => &["none", "pause", "poweroff", "reset", "disabled"],
            "hw:boot_menu" | "hw:mem_encryption" | "hw:hide_hypervisor_id" | "hw:locked_memory" => BOOLEANS,
            "hw_rng:allowed" | "os:secure_boot" => BOOLEANS,
            _ if key.starts_with("trait:") => &["required", "forbidden"],
            _ if key.starts_with("resources:") => {
                if value.parse::<u64>().is_err() {
                    return Err(refused(key, value, "a whole number"));
                }
                continue;
            }
            _ => continue,
        };
        if !allowed.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            return Err(refused(key, value, &format!("one of {}", allowed.join(", "))));
        }
    }
    Ok(())
}

const BOOLEANS: &[&str] = &["true", "false", "1", "0", "yes", "no", "on", "off", "required", "disabled", "optional"];

fn refused(key: &str, value: &str, wanted: &str) -> Fault {
    Fault::bad_request(format!("Validation failed; extra spec '{key}' has the value '{value}', which must be {wanted}."))
}

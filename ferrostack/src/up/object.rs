// SPDX-License-Identifier: Apache-2.0
//! The first object that everybody may read by its address.

use anyhow::Context;

use super::progress::Outcome;
use crate::client::Client;

const CONTAINER: &str = "public";
const NAME: &str = "welcome.txt";
const TEXT: &str =
    "This is an object in the container `public`. Whoever knows its address reads it, for the container says so (.r:*).\n";

/// Found or made; its path.
pub async fn ensure(tenant: &Client, project: &str) -> anyhow::Result<Outcome<String>> {
    let container = format!("/object-store/v1/AUTH_{project}/{CONTAINER}");
    let object = format!("{container}/{NAME}");
    if tenant.answers(&object).await {
        return Ok(Outcome::Found(object));
    }
    tenant.store(&container, &[("x-container-read", ".r:*")], "").await.context("make the container")?;
    tenant.store(&object, &[("content-type", "text/plain; charset=utf-8")], TEXT).await.context("put the object")?;
    Ok(Outcome::Made(object))
}

// SPDX-License-Identifier: Apache-2.0
//! Federation: people whom somebody else vouches for.
//!
//! An identity provider ([`provider`]) speaks a [`protocol`], whose [`mapping`] says who its people are here. What it
//! says reaches us as OpenID Connect ([`evidence::oidc`]), by the command line ([`auth`]) or by a browser ([`websso`]); the
//! mapping's rules ([`evidence::mapping`]) read it, a [`shadow`] of the person is kept, and a token is issued ([`login`]).
//!
//! Invariant: who comes by an identity provider has the roles that its mapping leads to, and no others (test: `only_what_the_mapping_leads_to`).
//! Invariant: tokens of an identity provider that is disabled or deleted are void from the next request on (test: `a_disabled_identity_provider_voids_its_tokens`).

mod auth;
mod denied;
mod login;
pub mod mapping;
pub mod protocol;
pub mod provider;
mod saml;
pub mod service_provider;
mod settings;
pub mod shadow;
#[cfg(test)]
pub mod tests;
mod websso;

use api::{Cx, Fault, Routes};

use crate::Identity;

pub use settings::{Federation, FederationSettings};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("federation", routes).tables(&[crate::Step {
    number: 20,
    name: "federation",
    sql: include_str!("../../migrations/0020_federation.sql"),
}]);

pub fn routes() -> Routes<Identity> {
    Routes::new()
        .join(provider::api::routes())
        .join(protocol::api::routes())
        .join(mapping::api::routes())
        .join(service_provider::api::routes())
        .join(auth::routes())
        .join(websso::routes())
        .join(saml::routes())
}

/// The id that a PUT gives to a new thing.
fn chosen_id(cx: &Cx, param: &str) -> Result<String, Fault> {
    let id = cx.param(param);
    if id.chars().count() > 64 {
        return Err(Fault::bad_request(format!("Invalid input for field '{param}': it has at most 64 characters.")));
    }
    Ok(id.to_owned())
}

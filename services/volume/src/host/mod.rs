// SPDX-License-Identifier: Apache-2.0
//! The hosts that keep volumes, in Cinder's three ways of telling of them: services, pools and hosts.

pub(crate) mod frozen;
pub(crate) mod policy;
mod pools;
mod services;
mod usage;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("host", routes);

fn routes() -> api::Routes<crate::BlockStorage> {
    services::routes().join(frozen::routes()).join(pools::routes()).join(usage::routes())
}

// SPDX-License-Identifier: Apache-2.0
//! The password that a guest made, from the node that has its machine.

use contracts::node::GuestPassword;
use http::Response;
use types::{NodeId, ServerId};

use super::{Body, done};
use crate::{Fleet, Result};

pub(super) async fn take(fleet: &Fleet, node: NodeId, server: &str, said: GuestPassword) -> Result<Response<Body>> {
    fleet.led()?.neighbours.passwords.take_password(&node, &ServerId::new(server), said).await?;
    Ok(done())
}

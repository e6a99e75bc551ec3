// SPDX-License-Identifier: Apache-2.0
//! The disk of a machine, from the node that was asked for it.

use std::io;

use bounds::{Pace, PacedBody};
use http::Response;
use http_body_util::{BodyDataStream, BodyExt};
use hyper::body::Incoming;
use types::{ImageId, NodeId};

use super::{Body, done};
use crate::{Fleet, Result};

pub(super) async fn take(fleet: &Fleet, node: NodeId, image: &str, body: Incoming) -> Result<Response<Body>> {
    let chunks = BodyDataStream::new(PacedBody::new(body.map_err(io::Error::other), Pace::default()));
    fleet.led()?.neighbours.snapshots.take_snapshot(&node, &ImageId::new(image), Box::pin(chunks)).await?;
    Ok(done())
}

// SPDX-License-Identifier: Apache-2.0
//! The data of an image, for a node that needs it.

use std::io;

use bytes::Bytes;
use contracts::Refusal;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::{fs::File, io::AsyncReadExt};
use types::NodeId;

use super::{Body, stream};
use crate::{Fleet, Result, error::Doing};

const PIECE: usize = 256 << 10;
const SHA512_DIGITS: usize = 128;

pub(super) async fn send(fleet: &Fleet, node: NodeId, sha512: &str) -> Result<Response<Body>> {
    if sha512.len() != SHA512_DIGITS || !sha512.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::invalid("an image is named by the hex SHA-512 of its data").into());
    }
    let path = fleet.led()?.neighbours.images.image_file(&node, sha512).await?;
    let file = File::open(&path).await.doing(|| format!("open the image {}", path.display()))?;
    let length = file.metadata().await.doing(|| format!("look at the image {}", path.display()))?.len();
    let pieces = futures_util::stream::unfold(Some(file), next_piece);
    let mut response = stream(StatusCode::OK, "application/octet-stream", StreamBody::new(pieces).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

async fn next_piece(file: Option<File>) -> Option<(io::Result<Frame<Bytes>>, Option<File>)> {
    let mut file = file?;
    let mut piece = Vec::with_capacity(PIECE);
    match (&mut file).take(PIECE as u64).read_to_end(&mut piece).await {
        Ok(0) => None,
        Ok(_) => Some((Ok(Frame::data(piece.into())), Some(file))),
        Err(error) => Some((Err(error), None)),
    }
}

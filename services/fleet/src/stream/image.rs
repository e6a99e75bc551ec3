// SPDX-License-Identifier: Apache-2.0
//! The data of an image, for a node that needs it.

use std::{fs::File, io, os::unix::fs::FileExt, path::PathBuf};

use bounds::{HeededBody, Pace, Threads, Turn};
use bytes::Bytes;
use contracts::{Refusal, RefusalKind};
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use types::NodeId;

use super::answer;
use crate::{Fleet, Result, error::Doing, listener::Body};

const PIECE: usize = 256 << 10;
const SHA512_DIGITS: usize = 128;

pub(crate) async fn send(fleet: &Fleet, node: NodeId, sha512: &str) -> Result<Response<Body>> {
    if sha512.len() != SHA512_DIGITS || !sha512.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::invalid("an image is named by the hex SHA-512 of its data").into());
    }
    let turn = fleet.inner.streams.turn(&node).await?;
    let path = file(fleet, &node, sha512).await?;
    let opening = format!("open the image {}", path.display());
    let open = move || File::open(&path).and_then(|file| file.metadata().map(|is| (file, is.len())));
    let opened = Threads::for_bytes().run(node.as_str(), open).await.map_err(io::Error::from);
    let (file, length) = opened.flatten().doing(|| opening)?;
    let pieces = futures_util::stream::unfold(Some(Reading { file, node, at: 0, turn }), next_piece);
    let body = HeededBody::new(StreamBody::new(Box::pin(pieces)), Pace::default().idle);
    let mut response = answer(body.boxed_unsync());
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// Of the first room that needs it there.
async fn file(fleet: &Fleet, node: &NodeId, sha512: &str) -> Result<PathBuf> {
    for room in &fleet.led()?.neighbours.images {
        match room.image_file(node, sha512).await {
            Err(Refusal { kind: RefusalKind::NotFound, .. }) => {}
            found => return Ok(found?),
        }
    }
    Err(Refusal::not_found("Nothing on this node needs such an image.").into())
}

/// A file, who reads it, and how far.
struct Reading {
    file: File,
    node: NodeId,
    at: u64,
    turn: Turn,
}

async fn next_piece(reading: Option<Reading>) -> Option<(io::Result<Frame<Bytes>>, Option<Reading>)> {
    let Reading { file, node, at, turn } = reading?;
    let read = move || {
        let mut piece = vec![0; PIECE];
        let length = file.read_at(&mut piece, at)?;
        piece.truncate(length);
        Ok((file, Bytes::from(piece)))
    };
    let read = Threads::for_bytes().run(node.as_str(), read).await.map_err(io::Error::from);
    match read.flatten() {
        Ok((_, piece)) if piece.is_empty() => None,
        Ok((file, piece)) => {
            let next = at + piece.len() as u64;
            Some((Ok(Frame::data(piece)), Some(Reading { file, node, at: next, turn })))
        }
        Err(error) => Some((Err(error), None)),
    }
}

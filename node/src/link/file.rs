// SPDX-License-Identifier: Apache-2.0
//! A file as the body of a request, a piece at a time.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::{fs::File, io::AsyncReadExt};

use super::Sent;

const PIECE: usize = 256 << 10;

pub(crate) fn of_file(file: File) -> Sent {
    StreamBody::new(stream::unfold(Some(file), next_piece)).boxed_unsync()
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

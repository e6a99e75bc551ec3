// SPDX-License-Identifier: Apache-2.0
//! Bodies that are read as a whole, on routes that stream others.

use api::{Cx, Fault};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;

use crate::Error;

pub async fn read(cx: &mut Cx, most: usize) -> Result<Bytes, Fault> {
    let mut chunks = cx.stream()?;
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await.map_err(Error::BrokenOff)? {
        if body.len() + chunk.len() > most {
            return Err(Error::TooLarge(format!("The body is longer than {most} bytes, which is the most here.")).into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

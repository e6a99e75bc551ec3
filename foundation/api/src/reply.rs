// SPDX-License-Identifier: Apache-2.0
//! Answers: a response with a body that is either at hand or a stream.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{
    BodyExt, Full, StreamBody,
    combinators::{BoxBody, UnsyncBoxBody},
};
use hyper::body::Frame;
use serde::Serialize;

use crate::Fault;

/// What is sent.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;
/// What comes in. `Sync`, so that a handler may hold its context across an await.
pub type RequestBody = BoxBody<Bytes, std::io::Error>;
pub type Response = http::Response<Body>;
/// What a handler returns.
pub type Reply = Result<Response, Fault>;

/// A JSON answer. Rows are serialised straight into the buffer; no tree of values is built in between.
pub fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(bytes) => Ok(json_bytes(status, bytes)),
        Err(error) => Err(Fault::internal(format_args!("write an answer as JSON: {error}"))),
    }
}

pub fn json_bytes(status: StatusCode, bytes: Vec<u8>) -> Response {
    respond(status, "application/json", bytes)
}

/// 200 with a document.
pub fn respond(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(full(bytes.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub fn text(status: StatusCode, content_type: &'static str, text: String) -> Response {
    respond(status, content_type, text.into_bytes())
}

pub fn created(value: &impl Serialize) -> Reply {
    json(StatusCode::CREATED, value)
}

pub fn accepted(value: &impl Serialize) -> Reply {
    json(StatusCode::ACCEPTED, value)
}

pub fn no_content() -> Reply {
    Ok(empty(StatusCode::NO_CONTENT))
}

/// A status and nothing else.
pub fn empty(status: StatusCode) -> Response {
    let mut response = http::Response::new(full(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// A body that is sent as it comes.
pub fn stream(
    status: StatusCode,
    content_type: &'static str,
    chunks: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
) -> Response {
    let body = StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data)));
    let mut response = http::Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

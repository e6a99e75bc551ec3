// SPDX-License-Identifier: Apache-2.0
//! Answers without a body. Swift says of those, too, what kind they are, and its clients look.

use api::{Response, empty};
use http::{HeaderValue, StatusCode, header};

pub fn done(status: StatusCode) -> Response {
    let mut response = empty(status);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    response
}

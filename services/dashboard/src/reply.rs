// SPDX-License-Identifier: Apache-2.0
//! Answers that are of this browser alone.

use api::{Fault, Response, empty};
use http::{HeaderValue, StatusCode, header};

pub(crate) type Answer = Result<Response, Fault>;

/// For this browser now, and for nobody's record.
pub(crate) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn see_other(place: &str) -> Answer {
    let mut response = private(empty(StatusCode::SEE_OTHER));
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(place).map_err(Fault::internal)?);
    Ok(response)
}

// SPDX-License-Identifier: Apache-2.0
//! `/dashboard/download/…`: data of an object or an image, for a link, which can send no header. It changes nothing, and the
//! browser keeps what comes as a file, whatever it is.

use api::{Fault, RequestBody};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{
    Dashboard, cookie, elsewhere,
    forward::{is_of_the_apis, pass},
    reply::Answer,
};

/// Characters of a file's name.
const LONGEST_NAME: usize = 120;

pub(crate) async fn download(dashboard: &Dashboard, path: &str, mut parts: Parts, body: RequestBody) -> Answer {
    elsewhere::refuse_other_pages(&parts)?;
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        let fault = Fault::new(StatusCode::METHOD_NOT_ALLOWED, "A download is asked for with GET.");
        return Err(fault.header(header::ALLOW, HeaderValue::from_static("GET, HEAD")));
    }
    is_of_the_apis(dashboard, path)?;
    if !is_data(path) {
        return Err(Fault::not_found("Only objects and the data of images are downloaded here."));
    }
    let name = name(path, parts.uri.query().unwrap_or_default());
    let token = cookie::token(dashboard, &parts.headers)?.to_owned();
    // What the query says is for us.
    parts.uri = path.parse().map_err(|_| Fault::bad_request("The request's address cannot be read."))?;
    let mut response = pass(dashboard, path, &parts, &token, body).await?;
    if response.status().is_success() {
        let kept = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(&name, NON_ALPHANUMERIC));
        let kept = HeaderValue::from_str(&kept).map_err(Fault::internal)?;
        response.headers_mut().insert(header::CONTENT_DISPOSITION, kept);
    }
    Ok(response)
}

fn is_data(path: &str) -> bool {
    let parts: Vec<&str> = path.splitn(6, '/').collect();
    match parts.as_slice() {
        ["", "object-store", "v1", _, container, object] => !container.is_empty() && !object.is_empty(),
        ["", "image", "v2", "images", _, "file"] => true,
        _ => false,
    }
}

/// The name that the page wishes for, or the last part of the thing's own.
fn name(path: &str, query: &str) -> String {
    let wished = form_urlencoded::parse(query.as_bytes()).find(|(key, value)| key == "name" && !value.is_empty());
    let own = || {
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        percent_decode_str(last).decode_utf8_lossy().into_owned()
    };
    let name = wished.map_or_else(own, |(_, name)| name.into_owned());
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("download");
    last.chars().filter(|character| !character.is_control()).take(LONGEST_NAME).collect()
}

// SPDX-License-Identifier: Apache-2.0
//! What headers say of an object, and the headers that say it.

use contracts::objects::{ObjectFacts, Said};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::{S3Result, dto};
use types::Timestamp;

use crate::error::invalid;

const KEPT: [&str; 5] = ["cache-control", "content-disposition", "content-encoding", "content-language", "expires"];
const METADATA: &str = "x-amz-meta-";

pub fn read(headers: &HeaderMap) -> S3Result<Said> {
    let text = |name: &str| -> S3Result<Option<String>> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        let text = std::str::from_utf8(value.as_bytes()).map_err(|_| invalid(format!("The header {name} is not UTF-8.")))?;
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    };
    let mut said = Said { content_type: text("content-type")?, ..Said::default() };
    for name in KEPT {
        // How the body is coded on its way is not how the object is coded.
        let value = text(name)?.map(|value| if name == "content-encoding" { without_chunks(&value) } else { value });
        said.headers.extend(value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)));
    }
    for header in headers.keys() {
        if let Some(name) = header.as_str().strip_prefix(METADATA)
            && !name.is_empty()
        {
            said.metadata.insert(name.to_owned(), text(header.as_str())?.unwrap_or_default());
        }
    }
    Ok(said)
}

fn without_chunks(coding: &str) -> String {
    let left: Vec<&str> = coding.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
    left.join(", ")
}

pub fn write(facts: &ObjectFacts) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let said = &facts.said;
    let kind = said.content_type.as_deref().unwrap_or("application/octet-stream");
    let mut set = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE.as_str(), kind);
    said.headers.iter().filter(|(name, _)| KEPT.contains(&name.as_str())).for_each(|(name, value)| set(name, value));
    said.metadata.iter().for_each(|(name, value)| set(&format!("{METADATA}{name}"), value));
    headers
}

pub fn time(at: Timestamp) -> dto::Timestamp {
    let micros = u64::try_from(at.micros()).unwrap_or_default();
    (std::time::UNIX_EPOCH + std::time::Duration::from_micros(micros)).into()
}

pub fn etag(text: &str) -> dto::ETag {
    dto::ETag::Strong(text.to_owned())
}

pub fn length(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SPDX-License-Identifier: Apache-2.0
//! Lists of objects, in S3's two forms.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contracts::objects::{Entry, Page, Who};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Request, S3Response, S3Result, dto::*};

use crate::{
    error::{invalid, refused},
    gate::Visitor,
    operations::Operations,
    said,
};

const MOST: usize = 1000;
/// As S3 writes names when it is asked to.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/');

/// A page, and where the next begins.
struct Listed {
    objects: Vec<Object>,
    folders: Vec<CommonPrefix>,
    next: Option<String>,
}

impl Operations {
    pub async fn list_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let names = Names::of(input.encoding_type.as_ref());
        let after = match &input.continuation_token {
            Some(token) => Some(read_token(token)?),
            None => input.start_after.clone(),
        };
        let limit = limit(input.max_keys)?;
        let (prefix, delimiter) = (input.prefix.clone().unwrap_or_default(), input.delimiter.clone());
        let page = Page { prefix, delimiter, after, limit };
        let listed = self.page(&visitor.who, &input.bucket, page, names).await?;
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(names.write(&input.prefix.unwrap_or_default())),
            max_keys: Some(count(limit)),
            key_count: Some(count(listed.objects.len() + listed.folders.len())),
            is_truncated: Some(listed.next.is_some()),
            next_continuation_token: listed.next.map(|name| URL_SAFE_NO_PAD.encode(name)),
            continuation_token: input.continuation_token,
            contents: Some(listed.objects),
            common_prefixes: Some(listed.folders),
            delimiter: input.delimiter.map(|text| names.write(&text)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|text| names.write(&text)),
            ..ListObjectsV2Output::default()
        }))
    }

    pub async fn list_v1(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let names = Names::of(input.encoding_type.as_ref());
        let limit = limit(input.max_keys)?;
        let after = input.marker.clone().filter(|marker| !marker.is_empty());
        let page = Page { prefix: input.prefix.clone().unwrap_or_default(), delimiter: input.delimiter.clone(), after, limit };
        let listed = self.page(&visitor.who, &input.bucket, page, names).await?;
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(names.write(&input.prefix.unwrap_or_default())),
            marker: Some(names.write(&input.marker.unwrap_or_default())),
            max_keys: Some(count(limit)),
            is_truncated: Some(listed.next.is_some()),
            next_marker: listed.next.map(|name| names.write(&name)),
            contents: Some(listed.objects),
            common_prefixes: Some(listed.folders),
            delimiter: input.delimiter.map(|text| names.write(&text)),
            encoding_type: input.encoding_type,
            ..ListObjectsOutput::default()
        }))
    }

    async fn page(&self, who: &Who, bucket: &str, page: Page, names: Names) -> S3Result<Listed> {
        let limit = page.limit;
        let mut listed = Listed { objects: Vec::new(), folders: Vec::new(), next: None };
        // One more than is told, to know whether there is one.
        let asked = Page { limit: if limit == 0 { 0 } else { limit + 1 }, ..page };
        let entries = self.objects.list(who, bucket, asked).await.map_err(refused)?;
        let is_more = entries.len() > limit;
        for entry in entries.into_iter().take(limit) {
            match entry {
                Entry::Object { key, size, etag, changed_at } => {
                    listed.objects.push(Object {
                        key: Some(names.write(&key)),
                        size: Some(said::length(size)),
                        e_tag: Some(said::etag(&etag)),
                        last_modified: Some(said::time(changed_at)),
                        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                        ..Object::default()
                    });
                    listed.next = Some(key);
                }
                Entry::Folder(name) => {
                    listed.folders.push(CommonPrefix { prefix: Some(names.write(&name)) });
                    listed.next = Some(name);
                }
            }
        }
        listed.next = listed.next.filter(|_| is_more);
        Ok(listed)
    }
}

/// How names are written: as they are, or escaped, since XML cannot hold all that a name can.
#[derive(Clone, Copy)]
pub enum Names {
    Plain,
    Escaped,
}

impl Names {
    pub fn of(encoding: Option<&EncodingType>) -> Self {
        if encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL) { Self::Escaped } else { Self::Plain }
    }

    pub fn write(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Escaped => utf8_percent_encode(name, NAME).to_string(),
        }
    }
}

pub fn limit(asked: Option<i32>) -> S3Result<usize> {
    match asked {
        None => Ok(MOST),
        Some(number) => {
            usize::try_from(number).map(|number| number.min(MOST)).map_err(|_| invalid("A page has a positive length."))
        }
    }
}

pub fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn read_token(token: &str) -> S3Result<String> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| invalid("The continuation token is not one that was given out here."))
}

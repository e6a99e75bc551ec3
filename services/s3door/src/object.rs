// SPDX-License-Identifier: Apache-2.0
//! Objects.

use std::collections::BTreeSet;

use contracts::objects::{At, NewObject};
use futures_util::{StreamExt, stream};
use s3s::{S3Error, S3ErrorCode as Code, S3Request, S3Response, S3Result, dto::*};

use crate::{
    bytes::{Arriving, leaving},
    condition::Conditions,
    error::{invalid, not_implemented, refused},
    gate::Visitor,
    operations::Operations,
    said,
};

/// How many objects one request may delete, as S3 has it, and how many of them at once.
const DELETES: usize = 1000;
const AT_ONCE: usize = 16;

impl Operations {
    pub async fn put(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        refuse_what_is_not_here(&req.headers)?;
        if input.if_match.is_some() {
            return Err(not_implemented(
                "An object cannot be put on the condition that another is there; If-None-Match: * can be asked.",
            ));
        }
        let if_none = only_if_none(input.if_none_match.as_ref())?;
        let arriving = Arriving::new(input.body, &req.headers, req.trailing_headers)?;
        let outcome = arriving.outcome();
        let new = NewObject { said: said::read(&req.headers)?, length: arriving.length, if_none };
        let at = At { bucket: input.bucket, key: input.key };
        let stored = self.objects.put(&visitor.who, &at, new, arriving.stream()).await;
        let stored = stored.map_err(|why| outcome.explain(why))?;
        let sums = outcome.sums.get().cloned().unwrap_or_default();
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(said::etag(&stored.etag)),
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            ..PutObjectOutput::default()
        }))
    }

    pub async fn get(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        one_version_and_one_part(input.version_id.as_deref(), input.part_number)?;
        let opened = self.objects.open(&visitor.who, &At { bucket: input.bucket, key: input.key }).await.map_err(refused)?;
        let conditions = Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&opened.facts, Code::NotModified)?;
        let size = opened.facts.size;
        let range = input.range.map(|range| range.check(size)).transpose()?;
        let content_range = range.as_ref().map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1));
        let range = range.unwrap_or(0..size);
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: Some(said::length(range.end - range.start)),
            content_range,
            e_tag: Some(said::etag(&opened.facts.etag)),
            last_modified: Some(said::time(opened.facts.changed_at)),
            body: Some(leaving((opened.read)(range), visitor)),
            ..GetObjectOutput::default()
        };
        Ok(S3Response::with_headers(output, said::write(&opened.facts)))
    }

    pub async fn head(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        one_version_and_one_part(input.version_id.as_deref(), input.part_number)?;
        let opened = self.objects.open(&visitor.who, &At { bucket: input.bucket, key: input.key }).await.map_err(refused)?;
        let conditions = Conditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        conditions.check(&opened.facts, Code::NotModified)?;
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: Some(said::length(opened.facts.size)),
            e_tag: Some(said::etag(&opened.facts.etag)),
            last_modified: Some(said::time(opened.facts.changed_at)),
            ..HeadObjectOutput::default()
        };
        Ok(S3Response::with_headers(output, said::write(&opened.facts)))
    }

    pub async fn copy(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        refuse_what_is_not_here(&req.headers)?;
        let from = source(&input.copy_source)?;
        let to = At { bucket: input.bucket, key: input.key };
        let conditions = Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        let opened = self.objects.open(&visitor.who, &from).await.map_err(refused)?;
        conditions.check(&opened.facts, Code::PreconditionFailed)?;
        let replace = input.metadata_directive.is_some_and(|word| word.as_str() == MetadataDirective::REPLACE);
        if from == to && !replace {
            return Err(S3Error::with_message(
                Code::InvalidRequest,
                "A copy of an object to itself changes nothing, unless its metadata is replaced.",
            ));
        }
        let said = replace.then(|| said::read(&req.headers)).transpose()?;
        let stored = self.objects.copy(&visitor.who, &from, &to, said).await.map_err(refused)?;
        let result = CopyObjectResult {
            e_tag: Some(said::etag(&stored.etag)),
            last_modified: Some(said::time(stored.changed_at)),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    pub async fn remove(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        one_version_and_one_part(input.version_id.as_deref(), None)?;
        if input.if_match.is_some() || input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
            return Err(not_implemented("Objects are deleted without conditions here."));
        }
        self.objects.delete(&visitor.who, &At { bucket: input.bucket, key: input.key }).await.map_err(refused)?;
        Ok(S3Response::with_status(DeleteObjectOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub async fn remove_many(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let (bucket, delete) = (req.input.bucket, req.input.delete);
        if delete.objects.len() > DELETES {
            return Err(S3Error::with_message(Code::MalformedXML, "One request deletes 1000 objects at most."));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        let keys: BTreeSet<String> = delete.objects.into_iter().map(|object| object.key).collect();
        let deleting = keys.into_iter().map(|key| {
            let at = At { bucket: bucket.clone(), key };
            let visitor = &visitor;
            async move {
                let outcome = self.objects.delete(&visitor.who, &at).await;
                (at.key, outcome)
            }
        });
        for (key, outcome) in stream::iter(deleting.collect::<Vec<_>>()).buffered(AT_ONCE).collect::<Vec<_>>().await {
            match outcome.map_err(refused) {
                Ok(()) => deleted.push(DeletedObject { key: Some(key), ..DeletedObject::default() }),
                Err(error) => errors.push(Error {
                    key: Some(key),
                    code: Some(error.code().as_str().to_owned()),
                    message: error.message().map(str::to_owned),
                    version_id: None,
                }),
            }
        }
        let deleted = Some(deleted).filter(|_| delete.quiet != Some(true));
        Ok(S3Response::new(DeleteObjectsOutput { deleted, errors: Some(errors), ..DeleteObjectsOutput::default() }))
    }
}

pub fn source(source: &CopySource) -> S3Result<At> {
    match source {
        CopySource::Bucket { bucket, key, version_id: None } => Ok(At { bucket: bucket.to_string(), key: key.to_string() }),
        _ => Err(not_implemented("Copies are made of a bucket's objects; there are no versions and no access points.")),
    }
}

pub fn only_if_none(condition: Option<&ETagCondition>) -> S3Result<bool> {
    match condition {
        None => Ok(false),
        Some(ETagCondition::Any) => Ok(true),
        Some(ETagCondition::ETag(_)) => Err(not_implemented("If-None-Match is * for an object that is put.")),
    }
}

/// Whoever asks for encryption, locks, tags or rights must not believe that he has them.
pub fn refuse_what_is_not_here(headers: &http::HeaderMap) -> S3Result<()> {
    const NOT_HERE: [(&str, &str); 5] = [
        ("x-amz-server-side-encryption", "Objects are not encrypted here."),
        ("x-amz-object-lock-", "Objects cannot be locked here."),
        ("x-amz-tagging", "Objects have no tags here; metadata can be set."),
        ("x-amz-grant-", "Rights are given by the roles of the project, and by the container's ACL in Swift's API."),
        ("x-amz-website-redirect-location", "Objects do not redirect here."),
    ];
    for name in headers.keys() {
        if let Some((_, why)) = NOT_HERE.iter().find(|(prefix, _)| name.as_str().starts_with(prefix)) {
            return Err(not_implemented(why));
        }
    }
    match headers.get("x-amz-acl").map(http::HeaderValue::as_bytes) {
        None | Some(b"private" | b"bucket-owner-full-control") => Ok(()),
        Some(_) => Err(not_implemented("Objects are private to their project here; a container's ACL is set in Swift's API.")),
    }
}

fn one_version_and_one_part(version: Option<&str>, part: Option<i32>) -> S3Result<()> {
    if version.is_some_and(|version| version != "null") {
        return Err(invalid("There are no versions of objects here."));
    }
    match part {
        None | Some(1) => Ok(()),
        Some(_) => Err(not_implemented("An object is read as a whole or by ranges, not by the parts it came in.")),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Objects that come in parts.

use contracts::objects::{At, PartFacts, UploadFacts};
use s3s::{S3Error, S3ErrorCode as Code, S3Request, S3Response, S3Result, dto::*};

use crate::{
    bytes::Arriving,
    condition::Conditions,
    error::{invalid, refused},
    gate::Visitor,
    list::{Names, count, limit},
    object::{only_if_none, refuse_what_is_not_here, source},
    operations::Operations,
    said,
};

const MOST_PARTS: i32 = 10_000;

impl Operations {
    pub async fn begin(&self, req: S3Request<CreateMultipartUploadInput>) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        refuse_what_is_not_here(&req.headers)?;
        let at = At { bucket: req.input.bucket, key: req.input.key };
        let upload = self.objects.begin_upload(&visitor.who, &at, said::read(&req.headers)?).await.map_err(refused)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(at.bucket),
            key: Some(at.key),
            upload_id: Some(upload),
            checksum_algorithm: req.input.checksum_algorithm,
            ..CreateMultipartUploadOutput::default()
        }))
    }

    pub async fn part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let number = number(input.part_number)?;
        let arriving = Arriving::new(input.body, &req.headers, req.trailing_headers)?;
        let (outcome, length) = (arriving.outcome(), arriving.length);
        let at = At { bucket: input.bucket, key: input.key };
        let stored = self.objects.put_part(&visitor.who, &at, &input.upload_id, number, length, arriving.stream()).await;
        let stored = stored.map_err(|why| outcome.explain(why))?;
        let sums = outcome.sums.get().cloned().unwrap_or_default();
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(said::etag(&stored.etag)),
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            ..UploadPartOutput::default()
        }))
    }

    pub async fn part_of_another(&self, req: S3Request<UploadPartCopyInput>) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let number = number(input.part_number)?;
        let opened = self.objects.open(&visitor.who, &source(&input.copy_source)?).await.map_err(refused)?;
        let conditions = Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            if_modified_since: input.copy_source_if_modified_since,
            if_unmodified_since: input.copy_source_if_unmodified_since,
        };
        conditions.check(&opened.facts, Code::PreconditionFailed)?;
        let size = opened.facts.size;
        let range = match input.copy_source_range {
            None => 0..size,
            Some(text) => {
                let range = Range::parse(&text).map_err(|_| invalid("The range of the source is not one."))?;
                range.check(size)?
            }
        };
        let at = At { bucket: input.bucket, key: input.key };
        let (length, bytes) = (range.end - range.start, (opened.read)(range));
        let stored =
            self.objects.put_part(&visitor.who, &at, &input.upload_id, number, Some(length), bytes).await.map_err(refused)?;
        let result = CopyPartResult {
            e_tag: Some(said::etag(&stored.etag)),
            last_modified: Some(said::time(stored.changed_at)),
            ..CopyPartResult::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() }))
    }

    pub async fn complete(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let if_none = only_if_none(input.if_none_match.as_ref())?;
        let named = input.multipart_upload.and_then(|named| named.parts).unwrap_or_default();
        let bad = || S3Error::with_message(Code::MalformedXML, "A part is named by its number and its ETag.");
        let part = |part: CompletedPart| -> S3Result<(u32, String)> {
            let etag = part.e_tag.ok_or_else(bad)?.into_value();
            Ok((number(part.part_number.ok_or_else(bad)?)?, etag))
        };
        let parts = named.into_iter().map(part).collect::<S3Result<Vec<_>>>()?;
        let at = At { bucket: input.bucket, key: input.key };
        let stored = self.objects.complete_upload(&visitor.who, &at, &input.upload_id, parts, if_none).await.map_err(refused)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", at.bucket, Names::Escaped.write(&at.key))),
            bucket: Some(at.bucket),
            key: Some(at.key),
            e_tag: Some(said::etag(&stored.etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    pub async fn abort(&self, req: S3Request<AbortMultipartUploadInput>) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let at = At { bucket: input.bucket, key: input.key };
        self.objects.abort_upload(&visitor.who, &at, &input.upload_id).await.map_err(refused)?;
        Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub async fn parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let limit = limit(input.max_parts)?;
        let after = u32::try_from(input.part_number_marker.unwrap_or_default()).map_err(|_| invalid("Parts count from 1."))?;
        let at = At { bucket: input.bucket, key: input.key };
        let found = self.objects.parts(&visitor.who, &at, &input.upload_id, after, limit + 1).await.map_err(refused)?;
        let is_more = found.len() > limit;
        let shown = |part: &PartFacts| Part {
            part_number: i32::try_from(part.number).ok(),
            size: Some(said::length(part.size)),
            e_tag: Some(said::etag(&part.etag)),
            last_modified: Some(said::time(part.put_at)),
            ..Part::default()
        };
        let parts: Vec<Part> = found.iter().take(limit).map(shown).collect();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(at.bucket),
            key: Some(at.key),
            upload_id: Some(input.upload_id),
            part_number_marker: input.part_number_marker,
            next_part_number_marker: parts.last().and_then(|part| part.part_number),
            max_parts: Some(count(limit)),
            is_truncated: Some(is_more),
            parts: Some(parts),
            ..ListPartsOutput::default()
        }))
    }

    pub async fn uploads(&self, req: S3Request<ListMultipartUploadsInput>) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let input = req.input;
        let names = Names::of(input.encoding_type.as_ref());
        let limit = limit(input.max_uploads)?;
        let prefix = input.prefix.unwrap_or_default();
        let after = input.key_marker.clone().filter(|key| !key.is_empty());
        // Without an upload, all uploads of that key are behind.
        let after = after.map(|key| (key, input.upload_id_marker.clone().unwrap_or_else(|| "\u{10FFFF}".into())));
        let found = self.objects.uploads(&visitor.who, &input.bucket, &prefix, after, limit + 1).await.map_err(refused)?;
        let is_more = found.len() > limit;
        let last = found.get(limit.saturating_sub(1)).filter(|_| is_more).cloned();
        let shown = |upload: UploadFacts| MultipartUpload {
            key: Some(names.write(&upload.key)),
            upload_id: Some(upload.id),
            initiated: Some(said::time(upload.begun_at)),
            ..MultipartUpload::default()
        };
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(names.write(&prefix)),
            key_marker: input.key_marker,
            upload_id_marker: input.upload_id_marker,
            next_key_marker: last.as_ref().map(|upload| names.write(&upload.key)),
            next_upload_id_marker: last.map(|upload| upload.id),
            max_uploads: Some(count(limit)),
            is_truncated: Some(is_more),
            encoding_type: input.encoding_type,
            uploads: Some(found.into_iter().take(limit).map(shown).collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn number(number: i32) -> S3Result<u32> {
    if !(1..=MOST_PARTS).contains(&number) {
        return Err(invalid("Parts are numbered from 1 to 10000."));
    }
    u32::try_from(number).map_err(|_| invalid("Parts are numbered from 1 to 10000."))
}

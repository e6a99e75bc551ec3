// SPDX-License-Identifier: Apache-2.0
//! Conditions of a request on the object that is there.

use contracts::objects::ObjectFacts;
use s3s::{
    S3Error, S3ErrorCode as Code, S3Result,
    dto::{ETagCondition, Timestamp, TimestampFormat},
};

#[derive(Default)]
pub struct Conditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// `unchanged` is what a reader is told whose copy is good still.
    pub fn check(&self, facts: &ObjectFacts, unchanged: Code) -> S3Result<()> {
        let names = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == facts.etag,
        };
        let changed = facts.changed_at.seconds();
        let failed = || Err(S3Error::new(Code::PreconditionFailed));
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !names(condition) => return failed(),
            (None, Some(since)) if seconds(since).is_some_and(|since| changed > since) => return failed(),
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if names(condition) => Err(S3Error::new(unchanged)),
            (None, Some(since)) if seconds(since).is_some_and(|since| changed <= since) => Err(S3Error::new(unchanged)),
            _ => Ok(()),
        }
    }
}

fn seconds(at: &Timestamp) -> Option<i64> {
    let mut text = Vec::new();
    at.format(TimestampFormat::EpochSeconds, &mut text).ok()?;
    std::str::from_utf8(&text).ok()?.split('.').next()?.parse().ok()
}

// SPDX-License-Identifier: Apache-2.0
//! Buckets.

use s3s::{S3Error, S3ErrorCode as Code, S3Request, S3Response, S3Result, dto::*, path::check_bucket_name};

use crate::{
    error::{invalid, refused},
    gate::Visitor,
    operations::Operations,
    said,
};

/// Where S3 began. Clients are told of it by being told of no place.
const FIRST_REGION: &str = "us-east-1";

impl Operations {
    pub async fn buckets(&self, req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let buckets = self.objects.buckets(&visitor.who).await.map_err(refused)?;
        let shown = |bucket: contracts::objects::BucketFacts| Bucket {
            name: Some(bucket.name),
            creation_date: Some(said::time(bucket.created_at)),
            ..Bucket::default()
        };
        let owner = visitor.who.project_id().map(|project| Owner { id: Some(project.to_string()), ..Owner::default() });
        let buckets = buckets.into_iter().map(shown).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), owner, ..ListBucketsOutput::default() }))
    }

    pub async fn make_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let bucket = req.input.bucket;
        if !check_bucket_name(&bucket) {
            return Err(S3Error::with_message(Code::InvalidBucketName, "The name is not one that a bucket may have."));
        }
        if req.input.object_lock_enabled_for_bucket == Some(true) {
            return Err(invalid("Objects cannot be locked here."));
        }
        if !self.objects.create_bucket(&visitor.who, &bucket).await.map_err(refused)? {
            return Err(S3Error::with_message(Code::BucketAlreadyOwnedByYou, "The bucket is there already, and it is yours."));
        }
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{bucket}")) }))
    }

    pub async fn look_at_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        self.objects.bucket(&visitor.who, &req.input.bucket).await.map_err(refused)?;
        let bucket_region = Some(self.region.clone());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() }))
    }

    pub async fn remove_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        self.objects.delete_bucket(&visitor.who, &req.input.bucket).await.map_err(refused)?;
        Ok(S3Response::with_status(DeleteBucketOutput::default(), http::StatusCode::NO_CONTENT))
    }

    pub async fn bucket_location(&self, req: S3Request<GetBucketLocationInput>) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        self.objects.bucket(&visitor.who, &req.input.bucket).await.map_err(refused)?;
        let place = (self.region != FIRST_REGION).then(|| BucketLocationConstraint::from(self.region.clone()));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint: place }))
    }

    /// Never turned on.
    pub async fn bucket_versions(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        self.objects.bucket(&visitor.who, &req.input.bucket).await.map_err(refused)?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! The table of what is here. All else that S3 knows is refused as not implemented, which is what `s3s` does by itself.

use std::sync::Arc;

use contracts::objects::Objects;
use s3s::{S3, S3Request, S3Response, S3Result, dto::*};

pub struct Operations {
    pub objects: Arc<dyn Objects>,
    pub region: String,
}

macro_rules! operations {
    ($($name:ident: $input:ident => $output:ident by $here:ident,)+) => {
        #[async_trait::async_trait]
        impl S3 for Operations {
            $(async fn $name(&self, req: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.$here(req).await
            })+
        }
    };
}

operations! {
    list_buckets: ListBucketsInput => ListBucketsOutput by buckets,
    create_bucket: CreateBucketInput => CreateBucketOutput by make_bucket,
    head_bucket: HeadBucketInput => HeadBucketOutput by look_at_bucket,
    delete_bucket: DeleteBucketInput => DeleteBucketOutput by remove_bucket,
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput by bucket_location,
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput by bucket_versions,
    get_bucket_acl: GetBucketAclInput => GetBucketAclOutput by bucket_acl,
    put_bucket_acl: PutBucketAclInput => PutBucketAclOutput by set_bucket_acl,
    get_object_acl: GetObjectAclInput => GetObjectAclOutput by object_acl,
    put_object_acl: PutObjectAclInput => PutObjectAclOutput by set_object_acl,
    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput by bucket_tags,
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput by object_tags,
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output by list_v2,
    list_objects: ListObjectsInput => ListObjectsOutput by list_v1,
    put_object: PutObjectInput => PutObjectOutput by put,
    get_object: GetObjectInput => GetObjectOutput by get,
    head_object: HeadObjectInput => HeadObjectOutput by head,
    copy_object: CopyObjectInput => CopyObjectOutput by copy,
    delete_object: DeleteObjectInput => DeleteObjectOutput by remove,
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput by remove_many,
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput by begin,
    upload_part: UploadPartInput => UploadPartOutput by part,
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput by part_of_another,
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput by complete,
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput by abort,
    list_parts: ListPartsInput => ListPartsOutput by parts,
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput by uploads,
}

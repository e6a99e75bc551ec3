// SPDX-License-Identifier: Apache-2.0
//! Who may what, in S3's words, for those who look: the project owns all of it, and everybody reads what its container's ACL
//! opens in Swift's API. It is set there, too; here only what is so already can be asked for. Tags there are none.

use contracts::objects::At;
use s3s::{S3Request, S3Response, S3Result, dto::*};

use crate::{
    error::{not_implemented, refused},
    gate::Visitor,
    operations::Operations,
};

const EVERYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

impl Operations {
    pub async fn bucket_acl(&self, req: S3Request<GetBucketAclInput>) -> S3Result<S3Response<GetBucketAclOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let is_public = self.objects.is_public(&visitor.who, &req.input.bucket).await.map_err(refused)?;
        let owner = owner(&visitor);
        let grants = Some(grants(&owner, is_public));
        Ok(S3Response::new(GetBucketAclOutput { grants, owner: Some(owner) }))
    }

    pub async fn object_acl(&self, req: S3Request<GetObjectAclInput>) -> S3Result<S3Response<GetObjectAclOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let at = At { bucket: req.input.bucket, key: req.input.key };
        self.objects.open(&visitor.who, &at).await.map_err(refused)?;
        let is_public = self.objects.is_public(&visitor.who, &at.bucket).await.map_err(refused)?;
        let owner = owner(&visitor);
        let grants = Some(grants(&owner, is_public));
        Ok(S3Response::new(GetObjectAclOutput { grants, owner: Some(owner), ..GetObjectAclOutput::default() }))
    }

    pub async fn set_bucket_acl(&self, req: S3Request<PutBucketAclInput>) -> S3Result<S3Response<PutBucketAclOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let is_public = self.objects.is_public(&visitor.who, &req.input.bucket).await.map_err(refused)?;
        only_private(req.input.acl.as_ref().map(BucketCannedACL::as_str), is_public)?;
        Ok(S3Response::new(PutBucketAclOutput::default()))
    }

    pub async fn set_object_acl(&self, req: S3Request<PutObjectAclInput>) -> S3Result<S3Response<PutObjectAclOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        let at = At { bucket: req.input.bucket, key: req.input.key };
        self.objects.open(&visitor.who, &at).await.map_err(refused)?;
        let is_public = self.objects.is_public(&visitor.who, &at.bucket).await.map_err(refused)?;
        only_private(req.input.acl.as_ref().map(ObjectCannedACL::as_str), is_public)?;
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }

    pub async fn bucket_tags(&self, req: S3Request<GetBucketTaggingInput>) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        self.objects.bucket(&visitor.who, &req.input.bucket).await.map_err(refused)?;
        Ok(S3Response::new(GetBucketTaggingOutput { tag_set: Vec::new() }))
    }

    pub async fn object_tags(&self, req: S3Request<GetObjectTaggingInput>) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let visitor = Visitor::of(&req.extensions)?;
        self.objects.open(&visitor.who, &At { bucket: req.input.bucket, key: req.input.key }).await.map_err(refused)?;
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: Vec::new(), version_id: None }))
    }
}

/// Nobody shall believe that he has opened or closed what he has not.
fn only_private(asked: Option<&str>, is_public: bool) -> S3Result<()> {
    match asked {
        Some("private") if !is_public => Ok(()),
        Some("public-read") if is_public => Ok(()),
        _ => Err(not_implemented("Rights are given by the roles of the project, and by the container's ACL in Swift's API.")),
    }
}

fn owner(visitor: &Visitor) -> Owner {
    let project = visitor.who.project_id().map(ToString::to_string);
    Owner { display_name: project.clone(), id: project }
}

fn grants(owner: &Owner, is_public: bool) -> Grants {
    let to = |kind: &'static str, id: Option<String>, uri: Option<String>| Grantee {
        display_name: id.clone(),
        email_address: None,
        id,
        type_: Type::from_static(kind),
        uri,
    };
    let grant = |grantee: Grantee, permission: &'static str| Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(permission)),
    };
    let mut grants = vec![grant(to(Type::CANONICAL_USER, owner.id.clone(), None), Permission::FULL_CONTROL)];
    if is_public {
        grants.push(grant(to(Type::GROUP, None, Some(EVERYBODY.to_owned())), Permission::READ));
    }
    grants
}

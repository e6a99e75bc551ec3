// SPDX-License-Identifier: Apache-2.0
//! `/v3/ec2tokens` and `/v3/s3tokens`: a service shows a signature, and gets a token of the user who signed.
//!
//! Whoever sees a signed address, and many do, holds a valid signature. So not everybody may turn one into a token.

use std::{sync::Arc, time::Duration};

use access::{
    Policy,
    payload::{Methods, PayloadScope},
};
use api::{Cx, Fault, Reply, Routes};
use http::{StatusCode, header::HeaderName};
use serde_json::{Map, Value};
use store::Actor;
use types::{Timestamp, UserId};

use crate::{
    Identity,
    application_credential::table as application_credentials,
    credential::{Credential, blob, blob::Ec2Blob, table},
    error::{Error, Result},
    token::{
        self,
        issue::Issued,
        proved::{Bound, Proved},
        scope::ScopeRequest,
    },
    trust::table as trusts,
    user::{Account, UserRef, table as users},
};
use evidence::signature::{
    BadSignature,
    amazon::{self, Dated, SignedRequest},
};

// Not for domains: what somebody signed is good for whatever he may, and who rules one domain rules him not.
static EC2: Policy = Policy::new("identity:ec2tokens_validate", "rule:service_or_admin", "Turn an EC2 signature into a token");
static S3: Policy = Policy::new("identity:s3tokens_validate", "rule:service_or_admin", "Turn an S3 signature into a token");

/// How far the clock of a client may differ from ours, and how long a signature can be shown.
const SKEW: Duration = Duration::from_secs(15 * 60);
/// The longest life of a presigned S3 address. Its true end is in its query, which only the gateway sees and checks.
const LONGEST_PRESIGNED: Duration = Duration::from_secs(7 * 24 * 3600);

pub fn routes() -> Routes<Identity> {
    Routes::new().post("/v3/ec2tokens", &EC2, for_ec2).post("/v3/s3tokens", &S3, for_s3)
}

async fn for_ec2(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let request = signed_request(&mut cx).await?;
    let (key, keys) = key_of(&room, &request).await?;
    check(&keys, |secret| amazon::verify_request(secret, &request))?;
    refuse_stale_request(&request)?;
    let issued = room.issue_for_key(&key, &keys, cx.actor()).await?;
    token::api::answer(&room, &cx, StatusCode::OK, &issued.token, &issued.valid).await
}

async fn for_s3(room: Arc<Identity>, mut cx: Cx) -> Reply {
    let request = signed_request(&mut cx).await?;
    let (key, keys) = key_of(&room, &request).await?;
    check(&keys, |secret| amazon::verify_s3(secret, &request))?;
    refuse_stale_text(&request)?;
    let issued = room.issue_for_key(&key, &keys, cx.actor()).await?;
    let mut response = token::api::answer(&room, &cx, StatusCode::OK, &issued.token, &issued.valid).await?;
    // Gateways learn who it is; Keystone does not give them the token itself.
    response.headers_mut().remove(HeaderName::from_static(token::api::SUBJECT));
    Ok(response)
}

/// Over the years the description came under three names.
async fn signed_request(cx: &mut Cx) -> Result<SignedRequest, Fault> {
    let mut body: Map<String, Value> = cx.json().await?;
    let described = ["credentials", "credential", "ec2Credentials"].iter().find_map(|key| body.remove(*key));
    serde_json::from_value(described.unwrap_or_else(|| Value::Object(Map::new())))
        .map_err(|cause| Fault::bad_request(format!("Invalid input for field/attribute credentials: {cause}")))
}

async fn key_of(room: &Identity, request: &SignedRequest) -> Result<(Credential, Ec2Blob)> {
    let access = request.access.as_deref().ok_or(Error::Unauthorized)?;
    let (ring, id) = (room.credential_ring(), blob::id_of_access_key(access));
    let key = room.read(move |tx| table::find(tx, &ring, &id)).await?;
    let key = key.filter(Credential::is_ec2).ok_or_else(|| Error::not_found("EC2 access key", access))?;
    let keys = Ec2Blob::parse(&key.blob)?;
    Ok((key, keys))
}

fn check(keys: &Ec2Blob, verify: impl Fn(&types::Secret<String>) -> Result<(), BadSignature>) -> Result<()> {
    let secret = keys.secret().ok_or(Error::Unauthorized)?;
    Ok(verify(&secret)?)
}

/// Without a time a signature would be good for ever.
fn refuse_stale_request(request: &SignedRequest) -> Result<()> {
    let time = request.param("Timestamp").or_else(|| request.header("X-Amz-Date")).or_else(|| request.param("X-Amz-Date"));
    let at = time.as_deref().and_then(Timestamp::parse).ok_or(Error::Unauthorized)?;
    refuse_unless(at.plus(SKEW) >= Timestamp::now() && Timestamp::now().plus(SKEW) >= at)
}

fn refuse_stale_text(request: &SignedRequest) -> Result<()> {
    let now = Timestamp::now();
    refuse_unless(match amazon::dated(request) {
        Dated::At(at) if amazon::may_be_presigned(request) => at.plus(LONGEST_PRESIGNED) >= now && now.plus(SKEW) >= at,
        Dated::At(at) => at.plus(SKEW) >= now && now.plus(SKEW) >= at,
        Dated::Until(end) => end >= now,
        Dated::Unknown => false,
    })
}

fn refuse_unless(holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Unauthorized) }
}

impl Identity {
    /// A token for what the key is good for: its project, within the delegation that made it.
    pub async fn issue_for_key(&self, key: &Credential, keys: &Ec2Blob, actor: Actor) -> Result<Issued> {
        if let Some(trust) = keys.trust_id() {
            return self.issue_for_trust(key, trust, actor).await;
        }
        let project = key.project_id.clone().ok_or(Error::Unauthorized)?;
        let scope = match (keys.application_credential_id(), keys.access_token_id()) {
            (None, None) => PayloadScope::Project(project),
            (Some(id), None) if self.is_gone(id).await? => return Err(Error::not_found("Application Credential", id)),
            (Some(id), None) => PayloadScope::ApplicationCredential { project, credential: id.to_owned() },
            (None, Some(id)) => PayloadScope::OAuth1 { project, access_token: id.to_owned() },
            (Some(_), Some(_)) => return Err(Error::Unauthorized),
        };
        let mut proved = Proved { bound: Some(Bound::To(scope)), ..Proved::default() };
        proved.add(self.account(&key.user_id).await?, Methods::EC2_CREDENTIAL)?;
        self.issue(proved, None, actor).await
    }

    /// The trustee made the key, in his own name or the trustor's; it buys what the trust would buy him now.
    async fn issue_for_trust(&self, key: &Credential, trust: &str, actor: Actor) -> Result<Issued> {
        let id = trust.to_owned();
        let trust = self.read(move |tx| trusts::find(tx, &id)).await?.ok_or_else(|| Error::not_found("trust", trust))?;
        if trust.project != key.project_id || *trust.speaks_for() != key.user_id {
            return Err(Error::Unauthorized);
        }
        let mut proved = Proved::default();
        proved.add(self.account(&trust.trustee).await?, Methods::EC2_CREDENTIAL)?;
        let issued = self.issue(proved, Some(ScopeRequest::Trust(trust.id)), actor).await;
        issued.map_err(|error| if matches!(error, Error::Forbidden(_)) { Error::Unauthorized } else { error })
    }

    async fn is_gone(&self, application_credential: &str) -> Result<bool> {
        let id = application_credential.to_owned();
        Ok(self.read(move |tx| application_credentials::find(tx, &id)).await?.is_none())
    }

    async fn account(&self, user: &UserId) -> Result<Account> {
        let user = UserRef::Id(user.clone());
        self.read(move |tx| users::account(tx, &user)).await?.ok_or(Error::Unauthorized)
    }
}

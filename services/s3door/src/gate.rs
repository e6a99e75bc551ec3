// SPDX-License-Identifier: Apache-2.0
//! Who comes in. The signature is checked by `s3s` with the secret that is found here; then the caller, and a place among the
//! requests of his project, go with the request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bounds::{Place, Places};
use contracts::{
    access_keys::{AccessKey, AccessKeys},
    objects::Who,
};
use http::Extensions;
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
};

/// For so long a key is not looked up again: one request asks twice, and requests come in bursts. What another controller revoked
/// is refused here within a second, of which this takes as little as that.
const FRESH: Duration = Duration::from_millis(50);
/// As many are remembered.
const MOST: usize = 1024;

/// The keys that were used just now.
pub struct Keys {
    rooms: Arc<dyn AccessKeys>,
    fresh: Mutex<HashMap<String, (Instant, AccessKey)>>,
}

impl Keys {
    pub fn new(rooms: Arc<dyn AccessKeys>) -> Self {
        Self { rooms, fresh: Mutex::default() }
    }

    pub async fn find(&self, access: &str) -> S3Result<AccessKey> {
        let now = Instant::now();
        if let Some((at, key)) = self.lock().get(access)
            && now.duration_since(*at) < FRESH
        {
            return Ok(key.clone());
        }
        let unavailable = |error: contracts::Refusal| S3Error::with_message(S3ErrorCode::ServiceUnavailable, error.message);
        let found = self.rooms.find(access).await.map_err(unavailable)?;
        let Some(key) = found else {
            self.lock().remove(access);
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidAccessKeyId,
                "There is no such key, or it is good for nothing now.",
            ));
        };
        let mut fresh = self.lock();
        if fresh.len() >= MOST {
            fresh.clear();
        }
        // Fresh since before it was looked up.
        fresh.insert(access.to_owned(), (now, key.clone()));
        Ok(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, AccessKey)>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller of a request, with his place.
#[derive(Clone)]
pub struct Visitor {
    pub who: Who,
    _place: Arc<Place<String>>,
}

impl Visitor {
    pub fn of(extensions: &Extensions) -> S3Result<Self> {
        extensions.get::<Self>().cloned().ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))
    }
}

/// Who turned out to ask, for the log and for pages of other sites.
#[derive(Clone, Default)]
pub struct Seen(Arc<OnceLock<Who>>);

impl Seen {
    fn set(&self, who: &Who) {
        let _ = self.0.set(who.clone());
    }

    pub fn who(&self) -> Option<&Who> {
        self.0.get()
    }
}

pub struct Auth(pub Arc<Keys>);

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access: &str) -> S3Result<SecretKey> {
        Ok(SecretKey::from(self.0.find(access).await?.secret.reveal().as_str()))
    }
}

pub struct Gate {
    pub keys: Arc<Keys>,
    pub projects: Arc<Places<String>>,
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let denied = |why: &'static str| S3Error::with_message(S3ErrorCode::AccessDenied, why);
        let signed = cx.credentials().map(|credentials| credentials.access_key.clone());
        let access = signed.ok_or_else(|| denied("Requests are signed here; nobody is let in without a key."))?;
        let who = self.keys.find(&access).await?.caller;
        // The rules of an application credential name requests of OpenStack's services; there are none for this door.
        if who.access_rules.is_some() {
            return Err(denied("The access rules of the application credential behind this key do not allow the request."));
        }
        let project = who.project_id().ok_or_else(|| denied("This key is for no project."))?;
        let slow = |_| S3Error::with_message(S3ErrorCode::SlowDown, "As many requests of this project are under way as may be.");
        let place = self.projects.enter_busy(format!("project {project}")).map_err(slow)?;
        if let Some(seen) = cx.extensions_mut().get::<Seen>() {
            seen.set(&who);
        }
        cx.extensions_mut().insert(Visitor { who, _place: Arc::new(place) });
        Ok(())
    }
}

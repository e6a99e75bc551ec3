// SPDX-License-Identifier: Apache-2.0
//! What the S3 door needs of identity: whose a key is, and the secret that its signatures are checked with.

use std::sync::Arc;

use types::Secret;

use crate::{BoxFuture, Refusal, caller::Caller};

#[derive(Debug, Clone)]
pub struct AccessKey {
    pub secret: Secret<String>,
    /// Who signs with it, in the project that it is for, with the roles that he has there now.
    pub caller: Arc<Caller>,
}

pub trait AccessKeys: Send + Sync {
    /// None if there is no such key, or it is good for nothing now: its user is disabled, its project is gone.
    fn find<'a>(&'a self, access: &'a str) -> BoxFuture<'a, Result<Option<AccessKey>, Refusal>>;
}

// SPDX-License-Identifier: Apache-2.0
//! What a caller may do with images, as far as that can be told before the image is known.
//!
//! Glance says 404 of an image that the caller does not see, whatever else he may, and 403 of what he may not do to one
//! that he sees. The routes of one image therefore only ask for a token; the tables demand this value.
//!
//! Invariant: what one does not see is not there, whichever verb asks for it (test: `what_one_does_not_see_is_404_and_what_one_may_not_do_is_403`).

use access::{Allowed, Policy, Scope};
use api::{Cx, Fault};
use store::Tx;

use super::{Row, Visibility};
use crate::{Error, image::policy, member};

#[derive(Clone)]
pub struct Reach {
    /// `get_image`, if it admits the caller at all.
    sees: Option<Allowed<Scope>>,
    /// The policy of what he asks for, or why it does not admit him.
    may: Result<Allowed<Scope>, String>,
}

impl Reach {
    pub fn of(cx: &Cx, policy: &'static Policy) -> Result<Self, Fault> {
        // Whoever is nobody is told so, not that he may not.
        cx.caller()?;
        Ok(Self { sees: cx.scope(&policy::SHOW).ok(), may: cx.scope(policy).map_err(|fault| fault.message) })
    }

    pub fn of_work(allowed: Allowed<Scope>) -> Self {
        Self { sees: Some(allowed.clone()), may: Ok(allowed) }
    }

    /// The proof that the policy admits the caller, to whichever images.
    pub fn allowed(&self) -> Result<&Allowed<Scope>, Error> {
        self.may.as_ref().map_err(|why| Error::Forbidden(why.clone()))
    }

    /// Whether what was asked for may be done to this project's images.
    pub fn admits(&self, image: &Row) -> bool {
        self.may.as_ref().is_ok_and(|allowed| allowed.scope().admits(&image.owner, None))
    }

    /// His project's own, a public or a community image, or one that was shared with his project, whether it took it or not.
    pub fn sees(&self, tx: &mut Tx, image: &Row) -> Result<bool, Error> {
        if self.admits(image) {
            return Ok(true);
        }
        let Some(sees) = &self.sees else { return Ok(false) };
        let is_open = matches!(image.visibility, Visibility::Public | Visibility::Community);
        if is_open || sees.scope().admits(&image.owner, None) {
            return Ok(true);
        }
        match sees.scope().project() {
            Some(project) if image.visibility == Visibility::Shared => member::table::is_member(tx, &image.id, project),
            _ => Ok(false),
        }
    }
}

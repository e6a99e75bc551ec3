// SPDX-License-Identifier: Apache-2.0
//! Who may do what to a container and its objects: by a role in its project, by what its owner has said, or by an address that
//! he signed. The yes is a value, [`Granted`], which the tables ask for; nothing else makes one.
//!
//! Invariant: nobody reads, lists or changes anything of a container without a yes for it (test:
//! `a_yes_is_for_one_container_and_one_right`).

pub mod acl;
mod signature;

use std::{marker::PhantomData, sync::Arc};

use access::{Asker, Policy, Target};
use api::Cx;
use contracts::caller::Caller;
use types::ProjectId;

pub use acl::Acl;
pub use signature::{Key, Signature, Words as SignatureWords};

use crate::{Error, container::Container, place::Place, policy};

/// See, read, and learn about objects.
#[derive(Debug, Clone, Copy)]
pub struct Reading;
/// See what there is.
#[derive(Debug, Clone, Copy)]
pub struct Listing;
/// Make, change and remove objects.
#[derive(Debug, Clone, Copy)]
pub struct Writing;
/// Make, change and remove the container itself, and say who else may what.
#[derive(Debug, Clone, Copy)]
pub struct Owning;

/// The yes to one right on one container. `Owning` of a container without a name is one of the account.
#[derive(Debug, Clone)]
pub struct Granted<Right> {
    project: ProjectId,
    container: String,
    /// Whether he owns what is in the account, and sees what is for owners.
    is_owner: bool,
    right: PhantomData<Right>,
}

impl<Right> Granted<Right> {
    fn new(project: &ProjectId, container: &str, is_owner: bool) -> Self {
        Self { project: project.clone(), container: container.to_owned(), is_owner, right: PhantomData }
    }

    /// For work that nobody asks for.
    pub fn for_work(project: &ProjectId, container: &str) -> Self {
        Self::new(project, container, false)
    }

    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    pub fn container(&self) -> &str {
        &self.container
    }

    pub fn is_owner(&self) -> bool {
        self.is_owner
    }

    /// Refuses a container that this is not the yes for.
    pub fn covers(&self, container: &Container) -> Result<(), Error> {
        if container.project == self.project && container.name == self.container { Ok(()) } else { Err(Error::Forbidden) }
    }
}

/// Who asks.
#[derive(Clone)]
pub struct Who {
    asker: Option<Asker>,
    referrer: Option<String>,
    /// The address that he came by, if somebody signed it.
    signature: Option<Signature>,
}

impl Who {
    pub fn of(cx: &Cx) -> Self {
        let asker = cx.known_caller().map(|caller| Asker::new(caller.clone(), cx.enforcer().clone()));
        let referrer = cx.header("referer").map(str::to_owned);
        Self { asker, referrer, signature: None }
    }

    /// Whom another door than Swift's has seen in.
    pub fn asking(asker: Asker) -> Self {
        Self { asker: Some(asker), referrer: None, signature: None }
    }

    pub fn nobody() -> Self {
        Self { asker: None, referrer: None, signature: None }
    }

    #[must_use]
    pub fn with_signature(self, signature: Signature) -> Self {
        Self { signature: Some(signature), ..self }
    }

    fn caller(&self) -> Option<&Arc<Caller>> {
        self.asker.as_ref().map(Asker::caller)
    }

    fn refused(&self) -> Error {
        if self.asker.is_some() { Error::Forbidden } else { Error::Unauthorized }
    }

    fn may(&self, policy: &'static Policy, project: &ProjectId) -> bool {
        // Who comes by a signed address is nobody else.
        self.signature.is_none() && self.asker.as_ref().is_some_and(|asker| asker.may(policy, &Target::in_project(project)))
    }

    fn project<'a>(&self, place: &'a Place) -> Result<&'a ProjectId, Error> {
        place.project.as_ref().ok_or_else(|| self.refused())
    }

    /// May he set what the account may hold?
    pub fn resells(&self, place: &Place) -> Result<bool, Error> {
        Ok(self.may(&policy::RESELL, self.project(place)?))
    }

    /// May he look at the account, and list its containers?
    pub fn listing_account(&self, place: &Place) -> Result<Granted<Listing>, Error> {
        let project = self.project(place)?;
        if self.may(&policy::READ, project) {
            return Ok(Granted::new(project, "", self.may(&policy::WRITE, project)));
        }
        Err(self.refused())
    }

    /// May he change the account or the container that the place names?
    pub fn owning(&self, place: &Place) -> Result<Granted<Owning>, Error> {
        let project = self.project(place)?;
        if self.may(&policy::WRITE, project) { Ok(Granted::new(project, &place.container, true)) } else { Err(self.refused()) }
    }

    pub fn listing(&self, place: &Place, container: Option<&Container>) -> Result<Granted<Listing>, Error> {
        let project = self.project(place)?;
        let yes = |is_owner| Ok(Granted::new(project, &place.container, is_owner));
        if self.signature.as_ref().is_some_and(|signature| signature.covers_listing(place)) {
            return yes(false);
        }
        if self.may(&policy::READ, project) {
            return yes(self.may(&policy::WRITE, project));
        }
        match (self.said(project, container.map(|container| &container.read_acl)), container) {
            (acl::Said::ByName, _) => yes(false),
            (acl::Said::ByReferrer, Some(container)) if container.read_acl.has_listings() => yes(false),
            _ => Err(self.refused()),
        }
    }

    pub fn reading(&self, place: &Place, container: Option<&Container>) -> Result<Granted<Reading>, Error> {
        let project = self.project(place)?;
        let yes = |is_owner| Ok(Granted::new(project, &place.container, is_owner));
        if self.signature.as_ref().is_some_and(|signature| signature.covers_reading(place)) {
            return yes(false);
        }
        if self.may(&policy::READ, project) {
            return yes(self.may(&policy::WRITE, project));
        }
        match self.said(project, container.map(|container| &container.read_acl)) {
            acl::Said::ByName | acl::Said::ByReferrer => yes(false),
            acl::Said::Nothing => Err(self.refused()),
        }
    }

    pub fn writing(&self, place: &Place, container: Option<&Container>) -> Result<Granted<Writing>, Error> {
        let project = self.project(place)?;
        let yes = |is_owner| Ok(Granted::new(project, &place.container, is_owner));
        if self.signature.as_ref().is_some_and(|signature| signature.covers_writing(place)) {
            return yes(false);
        }
        if self.may(&policy::WRITE, project) {
            return yes(true);
        }
        match self.said(project, container.map(|container| &container.write_acl)) {
            acl::Said::ByName => yes(false),
            acl::Said::ByReferrer | acl::Said::Nothing => Err(self.refused()),
        }
    }

    fn said(&self, project: &ProjectId, acl: Option<&Acl>) -> acl::Said {
        let Some(acl) = acl.filter(|_| self.signature.is_none()) else { return acl::Said::Nothing };
        let caller = self.caller().map(AsRef::as_ref);
        let is_of_project = caller.and_then(Caller::project_id) == Some(project);
        acl.says(caller, is_of_project, self.referrer.as_deref())
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Which account, container and object a request is about. Names are data: whatever bytes of UTF-8 they are made of, they
//! never become a path of ours.

use api::Cx;
use percent_encoding::percent_decode_str;
use types::ProjectId;

use crate::{Error, limits};

/// What stands before a project's id in the name of its account.
const RESELLER_PREFIX: &str = "AUTH_";
const V1: &str = "/object-store/v1/";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As the client wrote it.
    pub account: String,
    /// The project whose account it is; none for an account that cannot be.
    pub project: Option<ProjectId>,
    pub container: String,
    pub object: String,
}

impl Place {
    pub fn of(cx: &Cx) -> Result<Self, Error> {
        Self::read(cx.path().strip_prefix(V1).unwrap_or_default())
    }

    /// `account/container/object` with escapes.
    pub fn read(path: &str) -> Result<Self, Error> {
        let mut parts = path.splitn(3, '/');
        let mut next = || name(parts.next().unwrap_or_default());
        let (account, container, object) = (next()?, next()?, next()?);
        let project = account.strip_prefix(RESELLER_PREFIX).filter(|id| !id.is_empty()).map(ProjectId::new);
        Ok(Self { account, project, container, object })
    }

    pub fn in_container(&self, container: &str, object: &str) -> Result<Self, Error> {
        let place = Self { container: container.to_owned(), object: object.to_owned(), ..self.clone() };
        place.check_lengths()?;
        Ok(place)
    }

    pub fn in_account(&self, account: &str) -> Self {
        let project = account.strip_prefix(RESELLER_PREFIX).filter(|id| !id.is_empty()).map(ProjectId::new);
        Self { account: account.to_owned(), project, ..self.clone() }
    }

    /// Checked where something is made: what is too long is not there, either.
    pub fn check_lengths(&self) -> Result<(), Error> {
        for (what, name, most) in [
            ("Account", &self.account, limits::ACCOUNT_NAME),
            ("Container", &self.container, limits::CONTAINER_NAME),
            ("Object", &self.object, limits::OBJECT_NAME),
        ] {
            if name.len() > most {
                return Err(Error::Invalid(format!("{what} name length of {} longer than {most}", name.len())));
            }
        }
        if self.container.contains('/') {
            return Err(Error::invalid("A container's name cannot contain a slash."));
        }
        Ok(())
    }
}

/// A name without its escapes.
pub fn name(escaped: &str) -> Result<String, Error> {
    let bad = || Error::Precondition("Invalid UTF8 or contains NULL".to_owned());
    let name = percent_decode_str(escaped).decode_utf8().map_err(|_| bad())?;
    if name.contains('\0') { Err(bad()) } else { Ok(name.into_owned()) }
}

/// `/container/object`, as it stands in headers and manifests.
pub fn container_and_object(escaped: &str) -> Result<(String, String), Error> {
    let path = name(escaped)?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    match path.split_once('/') {
        Some((container, object)) if !container.is_empty() && !object.is_empty() => Ok((container.to_owned(), object.to_owned())),
        _ => Err(Error::Precondition(format!("'{path}' is not of the form <container name>/<object name>."))),
    }
}

/// A name with escapes, for an address or a header; slashes stay.
pub fn percent(name: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    percent_encoding::utf8_percent_encode(name, KEPT).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_data_and_never_a_path() {
        let place = Place::read("AUTH_p/c/..%2F../x//%E2%82%AC/").unwrap();
        assert_eq!((place.container.as_str(), place.object.as_str()), ("c", "../../x//€/"));
        assert_eq!(place.project, Some("p".into()));
        assert_eq!(Place::read("other/c").unwrap().project, None);
        for bad in ["AUTH_p/c/%00", "AUTH_p/%ff"] {
            assert!(matches!(Place::read(bad), Err(Error::Precondition(_))), "{bad}");
        }
        assert!(Place::read(&format!("AUTH_p/c/{}", "x".repeat(1025))).unwrap().check_lengths().is_err());
        assert!(Place::read("AUTH_p/a%2Fb").unwrap().check_lengths().is_err());
    }
}

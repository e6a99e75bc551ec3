// SPDX-License-Identifier: Apache-2.0
//! What the owner of a container has said about others: `.r:*,.rlistings,project:user,*:user`.

use contracts::caller::Caller;

use crate::{Error, limits};

/// Words for "whoever comes from this site".
const REFERRERS: [&str; 4] = [".r", ".ref", ".referer", ".referrer"];

/// One list, in the form in which it is kept and shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acl(String);

/// What a list says of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Nothing,
    /// Anybody who comes from such a site may read.
    ByReferrer,
    /// Him by name.
    ByName,
}

impl Acl {
    /// As a client writes it; the order is kept, for of referrers the last that fits counts.
    pub fn parse(header: &str, text: &str) -> Result<Self, Error> {
        if text.len() > limits::ACL {
            return Err(Error::Invalid(format!("{header} is longer than {} bytes.", limits::ACL)));
        }
        let mut items = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            items.push(clean(header, item)?);
        }
        Ok(Self(items.join(",")))
    }

    /// As a row has it.
    pub fn kept(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn items(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').filter(|item| !item.is_empty())
    }

    pub fn says(&self, caller: Option<&Caller>, is_of_project: bool, referrer: Option<&str>) -> Said {
        if caller.is_some_and(|caller| self.names(caller, is_of_project)) {
            return Said::ByName;
        }
        if self.admits_referrer(referrer) { Said::ByReferrer } else { Said::Nothing }
    }

    /// Whether who comes by referrer may list, too.
    pub fn has_listings(&self) -> bool {
        self.items().any(|item| item == ".rlistings")
    }

    fn names(&self, caller: &Caller, is_of_project: bool) -> bool {
        let project = caller.project_id().map(types::ProjectId::as_str);
        self.items().filter(|item| !item.starts_with('.')).any(|item| match item.split_once(':') {
            Some((of, user)) => (of == "*" || Some(of) == project) && (user == "*" || user == caller.user.id.as_str()),
            // A role, of those who are in the account's own project.
            None => is_of_project && caller.has_role(item),
        })
    }

    fn admits_referrer(&self, referrer: Option<&str>) -> bool {
        let host = referrer.and_then(host_of).unwrap_or("unknown");
        let mut admits = false;
        for site in self.items().filter_map(|item| item.strip_prefix(".r:")) {
            let (is_for, site) = match site.strip_prefix('-') {
                None => (true, site),
                Some(site) => (false, site),
            };
            if site == "*" || site == host || (site.starts_with('.') && host.ends_with(site)) {
                admits = is_for;
            }
        }
        admits
    }
}

fn clean(header: &str, item: &str) -> Result<String, Error> {
    let bad = |why: &str| Error::Invalid(format!("{header}: {why} in '{item}'"));
    if item == ".rlistings" {
        return Ok(item.to_owned());
    }
    let (first, second) = item.split_once(':').map_or((item, None), |(first, second)| (first.trim(), Some(second.trim())));
    if !first.starts_with('.') {
        return Ok(second.map_or_else(|| first.to_owned(), |second| format!("{first}:{second}")));
    }
    if !REFERRERS.contains(&first) {
        return Err(bad("unknown designator"));
    }
    if header.contains("write") {
        return Err(bad("referrers are not allowed in a write ACL"));
    }
    let (minus, host) =
        second.and_then(|host| host.strip_prefix('-')).map_or(("", second.unwrap_or_default()), |host| ("-", host));
    let host = host.trim();
    let host = if host.len() > 1 { host.strip_prefix('*').unwrap_or(host) } else { host };
    match host {
        "" | "." => Err(bad("no host or domain value after the referrer designation")),
        host => Ok(format!(".r:{minus}{host}")),
    }
}

/// The host of the page that a reader comes from.
fn host_of(referrer: &str) -> Option<&str> {
    let (_, rest) = referrer.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn says(acl: &str, referrer: Option<&str>) -> Said {
        Acl::parse("x-container-read", acl).unwrap().says(None, false, referrer)
    }

    #[test]
    fn referrers_are_judged_in_their_order() {
        assert_eq!(says(".r:*", None), Said::ByReferrer);
        assert_eq!(says(".referrer:*,.r:-.evil.test", Some("http://www.evil.test/x")), Said::Nothing);
        assert_eq!(says(".r:-*,.r:*.good.test", Some("https://u@a.good.test:8/x")), Said::ByReferrer);
        assert_eq!(says(".r:good.test", Some("http://good.test.evil.test")), Said::Nothing);
        assert_eq!(says("*:*", None), Said::Nothing);
    }

    #[test]
    fn users_are_named_by_their_ids() {
        let caller = world::caller("member@p1/u1").unwrap();
        let says = |acl: &str, own| Acl::parse("x-container-write", acl).unwrap().says(Some(&caller), own, None);
        for acl in ["p1:u1", "*:u1", "p1:*", "*:*", "x, *:*"] {
            assert_eq!(says(acl, false), Said::ByName, "{acl}");
        }
        for acl in ["p2:u1", "p1:u2", "member", "p1", "u1", ""] {
            assert_eq!(says(acl, false), Said::Nothing, "{acl}");
        }
        assert_eq!(says("member", true), Said::ByName);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in [".x:*", ".r:", ".r:-", ".r:*."] {
            assert!(bad == ".r:*." || Acl::parse("x-container-read", bad).is_err(), "{bad}");
        }
        assert!(Acl::parse("x-container-write", ".r:*").is_err());
        assert_eq!(Acl::parse("x-container-read", " .ref : *.a.test , a:b ").unwrap().as_str(), ".r:.a.test,a:b");
    }
}

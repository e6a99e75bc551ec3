// SPDX-License-Identifier: Apache-2.0
//! How a path is read before it is looked up in the route table: each service as its original does.

use std::borrow::Cow;

use crate::FaultStyle;

/// The path, below the service's prefix, that the table knows.
///
/// Neutron's clients of old write `.json` after any path, and it is the same path without it; to Nova, Keystone and Glance it
/// is part of the last word, which then names nothing. To Glance `/v2/images/` is an image whose id is empty, which
/// there is not; others take it for the list. Names in Swift may hold and end with slashes, below the container.
pub(crate) fn as_routed(style: FaultStyle, path: &str) -> &str {
    let path = match style {
        FaultStyle::Glance => path,
        FaultStyle::Swift if path.trim_start_matches('/').splitn(4, '/').nth(3).is_some_and(|object| !object.is_empty()) => path,
        // Below the version, as with Glance.
        FaultStyle::Cinder if path.trim_end_matches('/').matches('/').count() > 1 => path,
        _ => path.trim_end_matches('/'),
    };
    match style {
        _ if matches!(path, "" | "/") => "/",
        FaultStyle::Neutron => path.strip_suffix(".json").filter(|rest| !rest.ends_with('/')).unwrap_or(path),
        _ => path,
    }
}

/// The project that a path of Cinder names after the version, and the path without it: clients of old write it there.
pub(crate) fn without_project(style: FaultStyle, path: &str) -> (Option<&str>, Cow<'_, str>) {
    let named = || {
        let (project, rest) = path.strip_prefix("/v3/")?.split_once('/')?;
        let is_project = !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        is_project.then_some((project, rest))
    };
    match (style == FaultStyle::Cinder).then(named).flatten() {
        Some((project, rest)) => (Some(project), Cow::Owned(format!("/v3/{rest}"))),
        None => (None, Cow::Borrowed(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_in_a_path_of_cinder_is_taken_out_of_it() {
        let project = "0123456789abcdef0123456789abcdef";
        for (style, written, named, read) in [
            (FaultStyle::Cinder, "/v3/0123456789abcdef0123456789abcdef/volumes/1", Some(project), "/v3/volumes/1"),
            (
                FaultStyle::Cinder,
                "/v3/volumes/0123456789abcdef0123456789abcdef",
                None,
                "/v3/volumes/0123456789abcdef0123456789abcdef",
            ),
            (FaultStyle::Cinder, "/v3/0123456789abcdef0123456789abcdef", None, "/v3/0123456789abcdef0123456789abcdef"),
            (FaultStyle::Cinder, "/v3//volumes", None, "/v3//volumes"),
            (FaultStyle::Nova, "/v3/abc/volumes", None, "/v3/abc/volumes"),
        ] {
            assert_eq!(without_project(style, written), (named, read.into()), "{written}");
        }
    }

    #[test]
    fn each_service_reads_the_ends_of_paths_as_its_original() {
        for (style, written, read) in [
            (FaultStyle::Neutron, "", "/"),
            (FaultStyle::Neutron, "/", "/"),
            (FaultStyle::Neutron, "/v2.0/networks", "/v2.0/networks"),
            (FaultStyle::Neutron, "/v2.0/networks/", "/v2.0/networks"),
            (FaultStyle::Neutron, "/v2.0/networks.json", "/v2.0/networks"),
            (FaultStyle::Neutron, "/v2.0/networks.json/", "/v2.0/networks"),
            (FaultStyle::Neutron, "/v2.0/networks/7.json", "/v2.0/networks/7"),
            (FaultStyle::Neutron, "/v2.0/quotas/p/details.json", "/v2.0/quotas/p/details"),
            (FaultStyle::Neutron, "/v2.0/networks/.json", "/v2.0/networks/.json"),
            (FaultStyle::Neutron, "/v2.0/networks.xml", "/v2.0/networks.xml"),
            (FaultStyle::Neutron, "/v2.0", "/v2.0"),
            (FaultStyle::Nova, "/v2.1/servers.json", "/v2.1/servers.json"),
            (FaultStyle::Nova, "/v2.1/servers/", "/v2.1/servers"),
            (FaultStyle::Keystone, "/v3/users.json", "/v3/users.json"),
            (FaultStyle::Glance, "/v2/images.json", "/v2/images.json"),
            (FaultStyle::Glance, "/v2/images/", "/v2/images/"),
            (FaultStyle::Swift, "/v1/AUTH_p/", "/v1/AUTH_p"),
            (FaultStyle::Swift, "/v1/AUTH_p/c/", "/v1/AUTH_p/c"),
            (FaultStyle::Swift, "/v1/AUTH_p/c/o", "/v1/AUTH_p/c/o"),
            (FaultStyle::Swift, "/v1/AUTH_p/c/o/", "/v1/AUTH_p/c/o/"),
            (FaultStyle::Swift, "/v1/AUTH_p/c/o//", "/v1/AUTH_p/c/o//"),
        ] {
            assert_eq!(as_routed(style, written), read, "{style:?} {written}");
        }
    }
}

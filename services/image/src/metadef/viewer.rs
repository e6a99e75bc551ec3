// SPDX-License-Identifier: Apache-2.0
//! Who asks for metadata definitions.

use access::Policy;
use api::{Cx, Fault};

use super::table::{Seen, Viewer};
use crate::metadef::policy;

/// Which namespaces the caller sees, and whether he may do what he asks for to one of those: public ones, and his project's;
/// an administrator sees all. Glance says 404 of one that he does not see and 403 of one that he does.
pub fn viewer(cx: &Cx, policy: &'static Policy) -> Result<Viewer, Fault> {
    let caller = cx.caller()?;
    let is_admin = caller.roles.iter().any(|role| role.name == "admin");
    let sees = match cx.scope(&policy::GET) {
        Err(_) => Seen::None,
        Ok(_) if is_admin => Seen::All,
        Ok(_) => Seen::OwnAndPublic(caller.project_id().map(ToString::to_string).unwrap_or_default()),
    };
    Ok(Viewer { sees, may: cx.scope(policy).map(drop).map_err(|fault| fault.message) })
}

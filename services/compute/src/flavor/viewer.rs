// SPDX-License-Identifier: Apache-2.0
//! Who asks for flavors.

use api::Cx;

use super::table::Viewer;
use crate::flavor::policy;

/// Flavors have no owner. Who may make them sees all of them; others see the public ones and their project's.
pub(crate) fn viewer(cx: &Cx) -> Viewer {
    let project = cx.caller().ok().and_then(|caller| caller.project_id());
    match cx.scope(&policy::CREATE) {
        Ok(allowed) => Viewer::of(allowed.scope(), project),
        Err(_) => Viewer::Project(project.cloned()),
    }
}

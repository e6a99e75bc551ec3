// SPDX-License-Identifier: Apache-2.0
//! `/v2/metadefs`

use api::Routes;

use super::{item, namespace, resource_type};
use crate::{Image, metadef::policy};

pub fn routes() -> Routes<Image> {
    namespace::routes().join(resource_type::routes()).join(item::routes()).each_asking(&[&policy::GET])
}

// SPDX-License-Identifier: Apache-2.0
//! Imports: data that an image gets after the request, from its staging area, the web, or another image.
//!
//! The request records an [`Order`] as a task and answers; the reconciler carries it out, and begins again after a crash.
//!
//! Invariant: an acknowledged import ends in `active` or in `queued` with its cause, whenever the process dies (test: `an_import_goes_on_after_a_crash`).

pub mod api;
pub(crate) mod policy;
mod prepare;
mod reconcile;
mod run;
mod unpack;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    image::{Row, Status},
    location::Expected,
};

pub use prepare::check;
pub use reconcile::Importer;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("import", api::routes).tables(&[crate::Step {
    number: 6,
    name: "declared formats",
    sql: include_str!("../../migrations/0006_declared_formats.sql"),
}]);

pub const METHODS: [&str; 4] = ["glance-direct", "web-download", "copy-image", "glance-download"];
pub const METHODS_HEADER: &str = "glance-direct,web-download,copy-image,glance-download";

/// What is to be done, as the task keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub method: Method,
    pub stores: Vec<String>,
    pub all_must_succeed: bool,
    /// What the data has to be, where the one who ordered it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// Whether the location that the data should come from stays on the image if it cannot be had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub label_stays: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Method {
    GlanceDirect,
    WebDownload { uri: String },
    CopyImage,
    GlanceDownload { glance_image_id: String, glance_region: String },
}

impl Method {
    pub fn name(&self) -> &'static str {
        match self {
            Self::GlanceDirect => METHODS[0],
            Self::WebDownload { .. } => METHODS[1],
            Self::CopyImage => METHODS[2],
            Self::GlanceDownload { .. } => METHODS[3],
        }
    }

    /// The state in which an image can be imported so.
    pub fn begins_in(&self) -> Status {
        match self {
            Self::GlanceDirect => Status::Uploading,
            Self::WebDownload { .. } | Self::GlanceDownload { .. } => Status::Queued,
            Self::CopyImage => Status::Active,
        }
    }

    /// The state in which the image waits for the data.
    pub fn waits_in(&self) -> Status {
        match self {
            Self::CopyImage => Status::Active,
            _ => Status::Importing,
        }
    }
}

/// The image once its import was ordered.
pub fn begun(image: &Row, order: &Order) -> Row {
    let mut after = Row { status: order.method.waits_in(), ..image.clone() };
    after.place.importing = Some(order.stores.iter().cloned().collect());
    after.place.failed = Some(BTreeSet::new());
    if image.status == Status::Queued {
        after.forget_locations();
    }
    after
}

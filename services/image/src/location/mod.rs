// SPDX-License-Identifier: Apache-2.0
//! Locations: URLs by which a tenant gives an image its data.
//!
//! In Glance a location is a pointer which the cloud follows with its own rights each time that the image is read, and whoever
//! holds the server behind it can exchange the data of a trusted image at any time (OSSN-0065). Here the data is fetched at
//! once, by the rules of web downloads, and kept in a store. What stays is a [`Label`]: shown, and never read again.
//!
//! Invariant: an image's data never comes from a URL once it is active, and is the same for as long as it lives (test: `the_data_of_an_active_image_is_never_exchanged`).

pub mod api;
mod edit;
mod hash;
mod label;
pub(crate) mod policy;
mod say;
mod set;

use serde_json::{Value, json};

use crate::{Image, image::Row};

pub use edit::{Edit, Edited, check_may, edit};
pub use hash::{Expected, Hashing};
pub use label::{Label, Said};
pub use set::set;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("location", api::routes).tables(&[crate::Step {
    number: 5,
    name: "locations",
    sql: include_str!("../../migrations/0005_locations.sql"),
}]);

/// Longest URL and longest metadata, in bytes. The first is Glance's.
const LONGEST_URL: usize = 255;
const LONGEST_METADATA: usize = 4096;
/// Glance's `image_location_quota`.
const MOST: usize = 10;

impl Said {
    /// What is shown of an image.
    pub fn of(image: &Row) -> Self {
        match (&image.said, &image.data) {
            (Some(said), _) => said.clone(),
            (None, None) => Self::default(),
            (None, Some(data)) => {
                Self { checksum: Some(data.md5.clone()), algorithm: Some("sha512".to_owned()), value: Some(data.sha512.clone()) }
            }
        }
    }
}

/// One line of the list that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// Data that came otherwise, in this store.
    Own(String),
    Labelled(Label),
}

impl Entry {
    /// Where the cloud's own data lies is told to nobody: its place is a name, not a path.
    fn url(&self, image: &Row) -> String {
        match self {
            Self::Own(store) => format!("store://{store}/{}", image.id),
            Self::Labelled(label) => label.url.clone(),
        }
    }

    fn view(&self, image: &Row) -> Value {
        match self {
            Self::Own(store) => json!({"url": self.url(image), "metadata": {"store": store}}),
            Self::Labelled(label) => label.view(),
        }
    }
}

impl Image {
    /// The locations of an image as its project sees them: stores that have its data, and the labels.
    pub(crate) fn locations_of(&self, image: &Row) -> Vec<Value> {
        self.entries(image).iter().map(|entry| entry.view(image)).collect()
    }

    fn entries(&self, image: &Row) -> Vec<Entry> {
        let is_labelled = |store: &String| image.locations.iter().any(|label| label.store.as_ref() == Some(store));
        let own = self.stores_of(image).into_iter().filter(|store| !is_labelled(store)).map(Entry::Own);
        own.chain(image.locations.iter().cloned().map(Entry::Labelled)).collect()
    }
}

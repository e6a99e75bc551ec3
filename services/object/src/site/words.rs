// SPDX-License-Identifier: Apache-2.0
//! What the metadata of a container says of it as a site.

use crate::container::Container;

pub struct Words {
    /// The name of the front page of each folder.
    pub index: Option<String>,
    /// How the pages for what is refused are called, after the status.
    pub error: Option<String>,
    /// Whether folders without a front page are listed.
    pub listings: bool,
    pub css: Option<String>,
    pub label: Option<String>,
    /// The type of content of what marks a folder.
    pub folder: String,
}

impl Words {
    pub fn of(container: &Container) -> Option<Self> {
        let said = |name: &str| container.metadata.get(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let words = Self {
            index: said("web-index"),
            error: said("web-error"),
            listings: said("web-listings").as_deref().and_then(words::flag::oslo) == Some(true),
            css: said("web-listings-css"),
            label: said("web-listings-label"),
            folder: said("web-directory-type").unwrap_or_else(|| "application/directory".to_owned()),
        };
        (words.is_site() || words.error.is_some()).then_some(words)
    }

    /// With a front page or with lists. Else it has pages for what is refused at most.
    pub fn is_site(&self) -> bool {
        self.index.is_some() || self.listings
    }
}

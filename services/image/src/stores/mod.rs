// SPDX-License-Identifier: Apache-2.0
//! The stores, as clients see them: which there are, and an image's data in one of them.

pub mod ailing;
pub mod api;
pub mod locks;
pub mod place;
pub(crate) mod policy;

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("stores", api::routes);

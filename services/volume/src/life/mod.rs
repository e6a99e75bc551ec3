// SPDX-License-Identifier: Apache-2.0
//! The life of volumes and their snapshots outside of the tables: what nodes are told of them, what they found, and what brings
//! them further.

mod audit;
mod copy;
mod desired;
mod observe;
mod place;
pub(crate) mod reconcile;
mod released;

pub(crate) use place::Place;
pub(crate) use reconcile::VolumeReconciler;

/// A noun without a part of the API: its tables are those of volumes and snapshots.
pub(crate) const DRAWER: crate::Drawer = crate::Drawer::without_routes("life");

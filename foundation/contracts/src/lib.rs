// SPDX-License-Identifier: Apache-2.0
//! The doors between rooms: small traits and plain types, and the protocol between controller and node.
//!
//! A service never depends on another service. What compute needs of network stands here as a trait that the
//! network room implements; the binary plugs the two together. A trait is written for the neighbour that
//! uses it, says no more than that neighbour needs, and speaks plain types.

pub mod access_keys;
pub mod audit;
pub mod caller;
pub mod data;
pub mod images;
pub mod join;
pub mod node;
pub mod nodes;
pub mod objects;
pub mod placement;
pub mod ports;
pub mod vips;
pub mod volumes;

use std::{future::Future, pin::Pin};

/// What an object-safe async method returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a neighbour did not do what it was asked. The message is a sentence for the person who asked;
/// it names the cause and, where there is one, the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}")]
pub struct Refusal {
    pub kind: RefusalKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The request itself is wrong.
    Invalid,
    /// No such thing, or not for this caller.
    NotFound,
    Forbidden,
    /// It clashes with what is there.
    Conflict,
    /// Over a quota, or nothing left to hand out.
    Exhausted,
    /// A part that is needed does not answer now; the same request may succeed later.
    Unavailable,
    /// Our own fault.
    Internal,
}

impl Refusal {
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Invalid, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Conflict, message)
    }

    pub fn exhausted(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Exhausted, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Unavailable, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::Internal, message)
    }

    /// Whether trying the same again later can help.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, RefusalKind::Unavailable | RefusalKind::Internal)
    }
}

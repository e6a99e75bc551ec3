// SPDX-License-Identifier: Apache-2.0
//! A member: a project with which a shared image is shared. It may use the image at once, and finds it in its lists once it
//! has taken it.

pub mod api;
pub(crate) mod policy;
pub mod table;

use serde_json::{Value, json};
use types::{ImageId, Timestamp};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("member", api::routes);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub image: ImageId,
    pub member: String,
    pub status: Status,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Accepted,
    Rejected,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Accepted, Self::Rejected].into_iter().find(|status| status.as_str() == word)
    }
}

pub fn view(member: &Row) -> Value {
    json!({
        "image_id": member.image, "member_id": member.member, "status": member.status.as_str(),
        "created_at": member.created_at.zulu(), "updated_at": member.updated_at.zulu(), "schema": "/v2/schemas/member",
    })
}

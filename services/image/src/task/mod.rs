// SPDX-License-Identifier: Apache-2.0
//! A task: work on an image that goes on after the request that asked for it, and after a crash.

pub mod api;
pub(crate) mod policy;
pub mod table;

use ::store::Actor;
use serde_json::{Value, json};
use types::{Generation, Timestamp};

pub(crate) const DRAWER: crate::Drawer = crate::Drawer::new("task", api::routes);

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: String,
    pub image: Option<String>,
    pub kind: Kind,
    pub status: Status,
    /// The project whose image it is.
    pub owner: String,
    pub user: Option<String>,
    pub request_id: String,
    pub input: Value,
    pub result: Option<Value>,
    pub message: String,
    pub expires_at: Option<Timestamp>,
    pub generation: Generation,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `POST /v2/images/{id}/import`
    Import,
    /// `POST /v2/images/{id}/locations`
    Location,
    /// `POST /v2/tasks`, which makes its image, too.
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Pending,
    Processing,
    Success,
    Failure,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "api_image_import",
            Self::Location => "location_import",
            Self::Whole => "import",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Import, Self::Location, Self::Whole].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Processing, Self::Success, Self::Failure].into_iter().find(|status| status.as_str() == word)
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Success | Self::Failure)
    }
}

impl Row {
    pub fn new(kind: Kind, image: &crate::image::Row, actor: &Actor, input: Value) -> Self {
        let now = Timestamp::now();
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            image: Some(image.id.to_string()),
            kind,
            status: Status::Pending,
            owner: image.owner.to_string(),
            user: actor.user_id.clone(),
            request_id: actor.request_id.clone(),
            input,
            result: None,
            message: String::new(),
            expires_at: None,
            generation: Generation(1),
            created_at: now,
            updated_at: now,
        }
    }

    /// Whom the events of this work name: whoever asked for it.
    pub fn actor(&self) -> Actor {
        Actor {
            request_id: self.request_id.clone(),
            user_id: self.user.clone(),
            project_id: Some(self.owner.clone()),
            name: "image.import".to_owned(),
        }
    }
}

/// A task as lists show it.
pub fn summary(task: &Row) -> Value {
    json!({
        "id": task.id, "type": task.kind.as_str(), "status": task.status.as_str(), "owner": task.owner,
        "expires_at": task.expires_at.map(Timestamp::zulu), "created_at": task.created_at.zulu(), "updated_at": task.updated_at.zulu(),
        "image_id": task.image, "request_id": task.request_id, "user_id": task.user,
        "self": format!("/v2/tasks/{}", task.id), "schema": "/v2/schemas/task",
    })
}

/// A task as its image shows it: there Glance tells what its table holds.
pub fn row_view(task: &Row) -> Value {
    let mut view = view(task);
    (view["deleted"], view["deleted_at"]) = (json!(false), Value::Null);
    view
}

pub fn view(task: &Row) -> Value {
    let mut view = summary(task);
    view["input"] = task.input.clone();
    view["result"] = task.result.clone().unwrap_or(Value::Null);
    view["message"] = json!(task.message);
    view
}

// SPDX-License-Identifier: Apache-2.0
//! What placement refuses, with the codes that its clients know.

use api::Fault;
use contracts::Refusal;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("No resource provider with uuid {0} found")]
    NoProvider(String),
    #[error("No inventory of class {1} found for {0}")]
    NoInventory(String, String),
    #[error("Conflicting resource provider name: {0} already exists.")]
    NameTaken(String),
    #[error("resource provider generation conflict: another change came first; read the provider again")]
    Generation,
    #[error("consumer generation conflict - expected {expected} but got {got}")]
    ConsumerGeneration { expected: String, got: String },
    #[error("Unable to delete resource provider {0}: Resource provider has allocations.")]
    ProviderInUse(String),
    #[error("Inventory for '{class}' on resource provider '{provider}' in use.")]
    InventoryInUse { provider: String, class: String },
    #[error("Unable to allocate inventory: Unable to create allocation for '{class}' on resource provider '{provider}'. {cause}")]
    Full { provider: String, class: String, cause: String },
    #[error("No such {kind}: {name}")]
    UnknownName { kind: &'static str, name: String },
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NoProvider(_) | Error::NoInventory(..) => Fault::not_found(message),
            Error::NameTaken(_) => Fault::conflict(message).kind("placement.duplicate_name"),
            Error::Generation | Error::ConsumerGeneration { .. } => Fault::conflict(message).kind("placement.concurrent_update"),
            Error::ProviderInUse(_) => Fault::conflict(message).kind("placement.resource_provider.inuse"),
            Error::InventoryInUse { .. } => Fault::conflict(message).kind("placement.inventory.inuse"),
            Error::Full { .. } => Fault::conflict(message),
            Error::UnknownName { .. } | Error::Invalid(_) => Fault::bad_request(message),
            Error::Store(store::Error::Conflict) => Error::Generation.into(),
            Error::Store(error) => error.into(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NoProvider(_) => Refusal::not_found(error.to_string()),
            Error::Store(error) => Refusal::unavailable(format!("placement cannot use its tables: {error}")),
            other => Refusal::conflict(other.to_string()),
        }
    }
}

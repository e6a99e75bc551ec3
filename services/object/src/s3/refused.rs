// SPDX-License-Identifier: Apache-2.0
//! What the room refuses, in the words of the contract.

use contracts::{RefusalKind, objects::Refused};

use crate::Error;

pub fn refused(error: Error) -> Refused {
    match error {
        Error::NotFound => Refused::NoObject,
        Error::Unauthorized | Error::Form(_) | Error::Forbidden | Error::ForbiddenBecause(_) => Refused::Forbidden,
        Error::Precondition(_) => Refused::IsThere,
        Error::TooLarge(message) => Refused::TooLarge(message),
        Error::BrokenOff(cause) if cause.kind() == std::io::ErrorKind::TimedOut => Refused::TimedOut,
        Error::BrokenOff(cause) => Refused::BrokeOff(cause.to_string()),
        Error::Data(refusal) => match refusal.kind {
            RefusalKind::Exhausted => Refused::Full,
            RefusalKind::Unavailable => Refused::Unavailable(refusal.message),
            _ => Refused::Internal(refusal.message),
        },
        Error::Store(store::Error::Full { .. }) => Refused::Full,
        Error::Store(
            store::Error::Busy { .. } | store::Error::Unreachable { .. } | store::Error::Closed | store::Error::InDoubt { .. },
        ) => Refused::Unavailable("The cloud's database does not answer now; look before you try again.".into()),
        Error::Store(store::Error::Conflict) => Refused::Unavailable("Another request changed this first; try again.".into()),
        Error::Store(error) => Refused::Internal(error.to_string()),
        error => Refused::Invalid(error.to_string()),
    }
}

// SPDX-License-Identifier: Apache-2.0
//! A form of ours is known by a random word that stands in it and in a cookie. A page of elsewhere knows neither.

use api::Fault;
use http::{HeaderMap, HeaderValue};
use subtle::ConstantTimeEq;

use crate::{Dashboard, cookie::FORM};

const BYTES: usize = 16;

pub(crate) struct FormKey {
    value: String,
    cookie: HeaderValue,
}

impl FormKey {
    /// The one that this browser has, or a new one.
    pub fn of(dashboard: &Dashboard, headers: &HeaderMap) -> Result<Self, Fault> {
        let value = match FORM.read(dashboard, headers).filter(|value| is_key(value)) {
            Some(value) => value.to_owned(),
            None => {
                let mut random = [0; BYTES];
                getrandom::fill(&mut random).map_err(Fault::internal)?;
                hex::encode(random)
            }
        };
        let cookie = FORM.holding(dashboard, &value)?;
        Ok(Self { value, cookie })
    }

    pub fn value(&self) -> &str {
        &self.value
    }

    pub fn cookie(&self) -> HeaderValue {
        self.cookie.clone()
    }

    /// Whether a form came from a page that we gave to this browser.
    pub fn check(dashboard: &Dashboard, headers: &HeaderMap, said: &str) -> Result<(), Fault> {
        let kept = FORM.read(dashboard, headers).filter(|value| is_key(value));
        match kept.is_some_and(|kept| bool::from(kept.as_bytes().ct_eq(said.as_bytes()))) {
            true => Ok(()),
            false => {
                Err(Fault::forbidden("This form is not one that this browser was given. Load the page anew, and try again."))
            }
        }
    }
}

fn is_key(value: &str) -> bool {
    value.len() == 2 * BYTES && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

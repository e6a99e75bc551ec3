// SPDX-License-Identifier: Apache-2.0
//! Microversions: the client asks, the service answers in that version or says 406.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use types::Microversion;

use crate::Fault;

/// The versions of one service. `OpenStack-API-Version: <name> <version>` asks; Nova also hears its older header.
#[derive(Debug, Clone, Copy)]
pub struct Microversions {
    /// `compute`, `placement`, `volume`.
    pub name: &'static str,
    pub legacy_header: Option<&'static str>,
    pub min: Microversion,
    pub max: Microversion,
}

impl Microversions {
    pub fn negotiate(&self, headers: &HeaderMap) -> Result<Microversion, Fault> {
        let Some(text) = self.asked(headers)? else { return Ok(self.min) };
        if text.eq_ignore_ascii_case("latest") {
            return Ok(self.max);
        }
        let version: Microversion = text.parse().map_err(|_| {
            Fault::bad_request(format!("API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."))
        })?;
        if version < self.min || version > self.max {
            let message =
                format!("Version {version} is not supported by the API. Minimum is {} and maximum is {}.", self.min, self.max);
            return Err(Fault::new(StatusCode::NOT_ACCEPTABLE, message));
        }
        Ok(version)
    }

    /// What every answer of this service says about its version.
    pub fn mark(&self, version: Microversion, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&format!("{} {version}", self.name)) {
            headers.insert("openstack-api-version", value);
        }
        headers.append(header::VARY, HeaderValue::from_static("OpenStack-API-Version"));
        if let Some(legacy) = self.legacy_header {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(legacy), HeaderValue::from_str(&version.to_string())) {
                headers.insert(name, value);
            }
            headers.append(header::VARY, HeaderValue::from_static(legacy));
        }
    }

    fn asked<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, Fault> {
        for value in headers.get_all("openstack-api-version") {
            let text = value.to_str().map_err(|_| Fault::bad_request("The header OpenStack-API-Version is not text."))?;
            for item in text.split(',') {
                if let Some((name, version)) = item.trim().split_once(' ')
                    && name == self.name
                {
                    return Ok(Some(version.trim()));
                }
            }
        }
        let legacy = self.legacy_header.and_then(|name| headers.get(name));
        match legacy {
            None => Ok(None),
            Some(value) => {
                let text = value.to_str().map_err(|_| Fault::bad_request("The version header is not text."))?;
                Ok(Some(text.trim()))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOVA: Microversions = Microversions {
        name: "compute",
        legacy_header: Some("x-openstack-nova-api-version"),
        min: Microversion::new(2, 1),
        max: Microversion::new(2, 96),
    };

    fn ask(name: &'static str, value: &str) -> Result<Microversion, StatusCode> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        NOVA.negotiate(&headers).map_err(|fault| fault.status)
    }

    #[test]
    fn negotiation() {
        let new = "openstack-api-version";
        let old = "x-openstack-nova-api-version";
        assert_eq!(NOVA.negotiate(&HeaderMap::new()).unwrap(), NOVA.min);
        assert_eq!(ask(new, "compute 2.60"), Ok(Microversion::new(2, 60)));
        assert_eq!(ask(new, "volume 3.1, compute 2.9"), Ok(Microversion::new(2, 9)));
        assert_eq!(ask(new, "volume 3.1"), Ok(NOVA.min));
        assert_eq!(ask(new, "compute latest"), Ok(NOVA.max));
        assert_eq!(ask(old, "2.10"), Ok(Microversion::new(2, 10)));
        assert_eq!(ask(new, "compute 2.97"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(ask(new, "compute 2.x"), Err(StatusCode::BAD_REQUEST));
    }
}

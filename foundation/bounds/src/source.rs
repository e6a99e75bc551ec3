// SPDX-License-Identifier: Apache-2.0
//! Whom an address stands for, and for whom something is done.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, Ipv6Addr},
};

/// Whom an address stands for when places are counted: of IPv6 a whole /64, for that is what one machine is given and can
/// choose its addresses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

tokio::task_local! {
    static ASKING: Source;
}

impl Source {
    /// Does something that this source asked for; whatever stands in a line for it meanwhile can tell for whom.
    pub async fn ask<T>(self, work: impl Future<Output = T>) -> T {
        ASKING.scope(self, work).await
    }

    /// Who asked for what is done here; none if nobody from outside did.
    pub fn asking() -> Option<Self> {
        ASKING.try_with(|source| *source).ok()
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let [a, b, c, d, ..] = address.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            other => Self(other),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_subnet_are_one_source() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.2"), source("192.0.2.1"));
    }
}

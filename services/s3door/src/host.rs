// SPDX-License-Identifier: Apache-2.0
//! Which bucket the name of the host says, if it says one.

use s3s::{
    S3Result,
    host::{S3Host, VirtualHost},
};

/// `bucket.domain` is a bucket; any other name is this door itself, by whatever address it was reached.
pub struct Domain(pub String);

impl S3Host for Domain {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name =
            host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(name, _)| name);
        let bucket =
            name.strip_suffix(self.0.as_str()).and_then(|rest| rest.strip_suffix('.')).filter(|bucket| !bucket.is_empty());
        Ok(match bucket {
            Some(bucket) => VirtualHost::new(self.0.as_str()).with_bucket(bucket.to_ascii_lowercase()),
            None => VirtualHost::new(host),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_before_the_domain_and_nowhere_else() {
        let domain = Domain("s3.example.com".into());
        for (host, bucket) in [
            ("photos.s3.example.com", Some("photos")),
            ("Photos.s3.example.com:9000", Some("photos")),
            ("s3.example.com", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("xs3.example.com", None),
            (".s3.example.com", None),
        ] {
            assert_eq!(domain.parse_host_header(host).unwrap().bucket(), bucket, "{host}");
        }
    }
}

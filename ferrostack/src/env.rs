// SPDX-License-Identifier: Apache-2.0
//! `ferrostack env`: what a shell needs so that the stock clients find this cloud.

use clap::Args;

use crate::{config::Config, home::Home, say::say, secrets};

#[derive(Args)]
pub struct Arguments {
    /// As whom: admin (the operator) or demo (a tenant)
    #[arg(long = "as", value_name = "WHO", default_value = "admin", value_parser = ["admin", "demo"])]
    who: String,
}

pub fn run(home: &Home, arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::read(&home.configuration)?;
    let who = arguments.who.as_str();
    let password = secrets::read(home, if who == "admin" { secrets::ADMIN } else { secrets::DEMO })?;
    let exports = [
        ("OS_AUTH_URL", format!("{}/identity/v3", config.public_url())),
        ("OS_IDENTITY_API_VERSION", "3".to_owned()),
        ("OS_USERNAME", who.to_owned()),
        ("OS_PASSWORD", password.reveal().clone()),
        ("OS_PROJECT_NAME", who.to_owned()),
        ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
        ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
        ("OS_REGION_NAME", config.api.region.clone()),
    ];
    for (name, value) in exports {
        say!("export {name}='{}'", value.replace('\'', r"'\''"));
    }
    if let Some(certificate) = &config.api.certificate {
        say!("export OS_CACERT='{}'", certificate.display());
    }
    Ok(())
}

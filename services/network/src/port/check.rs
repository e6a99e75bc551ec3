// SPDX-License-Identifier: Apache-2.0
//! What a client may write in a port, as far as one can tell without the tables.

use std::net::IpAddr;

use ipnet::IpNet;
use types::Mac;

use super::{DhcpOption, addresses::Wish};
use crate::{
    Result,
    input::{Input, LONGEST, bad, read_address, read_mac},
};

const MOST_PAIRS: usize = 10;
const MOST_DHCP_OPTIONS: usize = 20;

/// An allowed address pair before the port's own MAC stands in for one that was not given.
#[derive(Debug, Clone)]
pub struct PairWish {
    pub ip_address: String,
    pub mac_address: Option<Mac>,
}

pub fn read_fixed_ips(input: &mut Input) -> Result<Option<Vec<Wish>>> {
    let Some(items) = input.objects("fixed_ips")? else { return Ok(None) };
    let mut wishes: Vec<Wish> = Vec::with_capacity(items.len());
    for mut item in items {
        let subnet = item.uuid("subnet_id").map_err(|error| bad("fixed_ips", error))?;
        let address = item.text("ip_address", LONGEST)?.map(|text| read_address("fixed_ips", &text)).transpose()?;
        item.finish().map_err(|error| bad("fixed_ips", error))?;
        if subnet.is_none() && address.is_none() {
            return Err(bad("fixed_ips", "an entry names a 'subnet_id', an 'ip_address' or both"));
        }
        let repeated = |wish: &Wish| address.is_some() && wish.address == address;
        if wishes.iter().any(repeated) {
            return Err(bad("fixed_ips", "an address stands there twice"));
        }
        wishes.push(Wish { subnet: subnet.map(Into::into), address });
    }
    Ok(Some(wishes))
}

pub fn read_pairs(input: &mut Input) -> Result<Option<Vec<PairWish>>> {
    input.null_is_empty("allowed_address_pairs");
    let Some(items) = input.objects("allowed_address_pairs")? else { return Ok(None) };
    if items.len() > MOST_PAIRS {
        return Err(bad("allowed_address_pairs", format!("there are more than {MOST_PAIRS}")));
    }
    let mut pairs: Vec<PairWish> = Vec::with_capacity(items.len());
    for mut item in items {
        let mac_address = item.text("mac_address", LONGEST)?.map(|text| read_mac("allowed_address_pairs", &text)).transpose()?;
        let Some(text) = item.text("ip_address", LONGEST)? else {
            return Err(bad("allowed_address_pairs", "a pair lacks its 'ip_address'"));
        };
        item.finish().map_err(|error| bad("allowed_address_pairs", error))?;
        let ip_address = canonical(&text)
            .ok_or_else(|| bad("allowed_address_pairs", format!("'{text}' is neither an address nor a prefix")))?;
        if pairs.iter().any(|pair| pair.ip_address == ip_address && pair.mac_address == mac_address) {
            return Err(bad("allowed_address_pairs", format!("the pair of {ip_address} stands there twice")));
        }
        pairs.push(PairWish { ip_address, mac_address });
    }
    Ok(Some(pairs))
}

/// The text as OVN shall read it, made from the parsed address so that nothing else can be in it.
fn canonical(text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return (!address.is_multicast()).then(|| address.to_string());
    }
    let prefix: IpNet = text.parse().ok()?;
    (!prefix.network().is_multicast()).then(|| prefix.to_string())
}

/// Options for the guest's DHCP client. A value of null takes an option back, so it is not kept.
pub fn read_dhcp_options(input: &mut Input) -> Result<Option<Vec<DhcpOption>>> {
    const NAME: &str = "extra_dhcp_opts";
    input.null_is_empty(NAME);
    let Some(items) = input.objects(NAME)? else { return Ok(None) };
    if items.len() > MOST_DHCP_OPTIONS {
        return Err(bad(NAME, format!("there are more than {MOST_DHCP_OPTIONS}")));
    }
    let mut options: Vec<DhcpOption> = Vec::with_capacity(items.len());
    for mut item in items {
        let Some(opt_name) = item.text("opt_name", 64)? else { return Err(bad(NAME, "an option lacks its 'opt_name'")) };
        let opt_value = item.optional_text("opt_value", LONGEST)?.flatten();
        let ip_version = item.optional_number("ip_version", 4..=6)?.flatten().unwrap_or(4);
        item.finish().map_err(|error| bad(NAME, error))?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_:".contains(&b);
        if opt_name.is_empty() || !opt_name.bytes().all(plain) {
            return Err(bad(NAME, "an 'opt_name' consists of letters, digits, '-', '_' and ':'"));
        }
        if ip_version == 5 {
            return Err(bad(NAME, "an 'ip_version' is 4 or 6"));
        }
        let Some(opt_value) = opt_value else { continue };
        // A line break or a quote would end the option and begin another (OSSA-2021-005).
        if opt_value.is_empty() || opt_value.chars().any(|c| c.is_control() || "\"'\\{}".contains(c)) {
            return Err(bad(NAME, format!("the value of {opt_name} is empty or contains quotes, braces or control characters")));
        }
        if options.iter().any(|other| other.opt_name == opt_name && other.ip_version == ip_version) {
            return Err(bad(NAME, format!("the option {opt_name} stands there twice")));
        }
        options.push(DhcpOption { opt_name, opt_value, ip_version });
    }
    Ok(Some(options))
}

/// A DNS label: letters, digits and hyphens, at most 63, no hyphen at its ends; or nothing.
pub fn read_dns_name(input: &mut Input) -> Result<Option<String>> {
    let Some(text) = input.text("dns_name", LONGEST)? else { return Ok(None) };
    let name = text.to_ascii_lowercase();
    let labels = name.trim_end_matches('.').split('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.is_empty() || labels.into_iter().all(is_label) {
        Ok(Some(name))
    } else {
        Err(bad("dns_name", format!("'{text}' is not a valid DNS name")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::{Value, json};

    use super::*;

    fn input(value: Value) -> Input {
        Input::of("port", value).unwrap()
    }

    #[test]
    fn pairs_are_kept_in_canonical_form() {
        let pairs = |list: Value| read_pairs(&mut input(json!({"allowed_address_pairs": list})));
        let kept =
            pairs(json!([{"ip_address": "2001:DB8:0::1"}, {"ip_address": "10.0.0.0/24", "mac_address": "FA:16:3E:00:00:01"}]));
        let kept = kept.unwrap().unwrap();
        assert_eq!(kept[0].ip_address, "2001:db8::1");
        assert_eq!(kept[1].mac_address.unwrap().to_string(), "fa:16:3e:00:00:01");
        for bad in [
            json!([{"mac_address": "fa:16:3e:00:00:01"}]),
            json!([{"ip_address": "10.0.0.256"}]),
            json!([{"ip_address": "10.0.0.1 10.0.0.2"}]),
            json!([{"ip_address": "224.0.0.18"}]),
            json!([{"ip_address": "10.0.0.1", "mac_address": "01:00:5e:00:00:01"}]),
            json!([{"ip_address": "10.0.0.1", "surprise": 1}]),
            json!([{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1"}]),
            json!(["10.0.0.1"]),
            json!("10.0.0.1"),
        ] {
            assert!(pairs(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn dhcp_options_cannot_carry_others_with_them() {
        let options = |list: Value| read_dhcp_options(&mut input(json!({"extra_dhcp_opts": list})));
        assert_eq!(options(json!([{"opt_name": "bootfile-name", "opt_value": "pxelinux.0"}])).unwrap().unwrap().len(), 1);
        assert_eq!(options(json!([{"opt_name": "bootfile-name", "opt_value": null}])).unwrap().unwrap().len(), 0);
        for value in ["x\ndhcp-script=/bin/sh", "x\"", "{a", "", "x\u{0}"] {
            assert!(options(json!([{"opt_name": "tftp-server", "opt_value": value}])).is_err(), "{value:?}");
        }
        assert!(options(json!([{"opt_name": "a b", "opt_value": "x"}])).is_err());
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Reads the body of `POST /servers`, version by version, into one shape.

use std::{collections::BTreeMap, net::IpAddr};

use api::{Cx, Fault};
use base64::{Engine, engine::general_purpose::STANDARD};
use contracts::ports::NicWish;
use serde_json::{Value, json};
use types::{FlavorId, ImageId, Microversion, NetworkId, PortId, Secret};

use super::{
    tags,
    volume::mapping::{self, Disks},
};
use crate::{
    input::{Object, Read, body, text, wrong},
    versions::at_least,
};

/// What a user asks for, checked as far as it can be without asking others.
#[derive(Debug)]
pub(super) struct Ask {
    pub name: String,
    /// None if it boots from a volume.
    pub image: Option<ImageId>,
    pub flavor: FlavorId,
    pub networks: Networks,
    pub disks: Disks,
    pub security_groups: Vec<String>,
    pub key_name: Option<String>,
    pub user_data: Option<Secret<String>>,
    pub admin_password: Option<Secret<String>>,
    pub config_drive: bool,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    pub description: Option<String>,
    pub hostname: Option<String>,
    pub zone: Option<String>,
    pub host: Option<String>,
    pub access_ip_v4: Option<String>,
    pub access_ip_v6: Option<String>,
    pub disk_config: String,
    pub min_count: i64,
    pub max_count: i64,
    pub return_reservation_id: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Networks {
    None,
    /// A wish and its tag, each.
    Wishes(Vec<(NicWish, Option<String>)>),
}

pub(super) async fn read(cx: &mut Cx) -> Read<Ask> {
    let version = cx.version;
    let mut outer = body(cx).await?;
    let mut ask = outer.required_object("server")?;
    for hints in ["os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"] {
        refuse_hints(outer.object(hints)?)?;
    }
    outer.finish()?;

    let name = ask.name("name")?;
    let flavor = read_flavor(&mut ask)?;
    refuse_personality(&mut ask, version)?;
    let image = read_image(&mut ask)?;
    let disks = mapping::read(&mut ask, version, image.as_ref())?;
    // A volume that is made of the image stands for it.
    let image = image.filter(|_| !disks.boots());
    let (min_count, max_count) = read_counts(&mut ask)?;
    let read = Ask {
        name: ask.required("name", name)?,
        flavor: ask.required("flavorRef", flavor)?,
        image,
        networks: read_networks(&mut ask, version)?,
        disks,
        security_groups: read_security_groups(&mut ask)?,
        key_name: ask.name("key_name")?,
        user_data: read_user_data(&mut ask)?,
        admin_password: ask.text("adminPass", 0..=255)?.map(Secret::new),
        config_drive: ask.flag("config_drive")?.unwrap_or(false),
        metadata: ask.texts("metadata")?.unwrap_or_default(),
        tags: if at_least(version, 52) { tags::read_list(ask.list("tags")?)? } else { Vec::new() },
        description: if at_least(version, 19) { ask.text_or_null("description", 0..=255)?.flatten() } else { None },
        hostname: read_hostname(&mut ask, version)?,
        zone: ask.name("availability_zone")?,
        host: read_host(&mut ask, version)?,
        access_ip_v4: read_access_ip(&mut ask, "accessIPv4")?,
        access_ip_v6: read_access_ip(&mut ask, "accessIPv6")?,
        disk_config: read_disk_config(&mut ask)?.unwrap_or_else(|| "AUTO".to_owned()),
        min_count,
        max_count,
        return_reservation_id: ask.flag("return_reservation_id")?.unwrap_or(false),
    };
    refuse_certificates(&mut ask, version)?;
    ask.finish()?;
    Ok(read)
}

fn read_flavor(ask: &mut Object) -> Read<Option<FlavorId>> {
    match ask.take("flavorRef") {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(FlavorId::new(number.to_string()))),
        // A link to a flavor is as good as its id.
        Some(value) => {
            let reference = text("flavorRef", value, 1..=512)?;
            Ok(Some(FlavorId::new(reference.rsplit('/').next().unwrap_or_default())))
        }
    }
}

fn read_image(ask: &mut Object) -> Read<Option<ImageId>> {
    let reference = ask.text("imageRef", 0..=512)?.unwrap_or_default();
    let id = reference.rsplit('/').next().unwrap_or_default();
    Ok((!id.is_empty()).then(|| ImageId::new(id)))
}

pub(super) fn refuse_certificates(ask: &mut Object, version: Microversion) -> Read<()> {
    if at_least(version, 63) && ask.take_some("trusted_image_certificates").is_some() {
        return Err(Fault::bad_request(
            "trusted_image_certificates cannot be used: the images of this cloud are checked by checksum, not by signature.",
        ));
    }
    Ok(())
}

pub(super) fn refuse_personality(ask: &mut Object, version: Microversion) -> Read<()> {
    if !at_least(version, 57) && ask.list("personality")?.is_some_and(|files| !files.is_empty()) {
        return Err(Fault::bad_request(
            "personality cannot be used: files are not put into guests. Use user_data, which the guest fetches itself.",
        ));
    }
    Ok(())
}

fn refuse_hints(hints: Option<Object>) -> Read<()> {
    let Some(mut hints) = hints else { return Ok(()) };
    if let Some(group) = hints.take("group") {
        let group = group.as_str().map(str::to_owned).unwrap_or_else(|| group.to_string());
        return Err(Fault::bad_request(format!("ServerGroup {group} could not be found. This cloud has no server groups yet.")));
    }
    for strict in ["same_host", "different_host", "query", "build_near_host_ip", "target_cell", "different_cell"] {
        if hints.has(strict) {
            let message = format!(
                "The scheduler hint '{strict}' is not supported here, and a server that ignored it were not as asked for."
            );
            return Err(Fault::bad_request(message));
        }
    }
    Ok(())
}

fn read_counts(ask: &mut Object) -> Read<(i64, i64)> {
    let min = ask.whole("min_count", 1..=i64::from(i32::MAX))?;
    let max = ask.whole("max_count", 1..=i64::from(i32::MAX))?;
    let least = min.unwrap_or(1);
    let most = max.unwrap_or(least);
    if least > most {
        return Err(Fault::bad_request("min_count must be <= max_count"));
    }
    Ok((least, most))
}

fn read_networks(ask: &mut Object, version: Microversion) -> Read<Networks> {
    let must_be_said = at_least(version, 37);
    let list = match ask.take("networks") {
        None if must_be_said => return ask.required::<Networks>("networks", None),
        None => return Ok(any()),
        Some(Value::String(word)) if must_be_said && word == "auto" => return Ok(any()),
        Some(Value::String(word)) if must_be_said && word == "none" => return Ok(Networks::None),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong("networks", &other, "It is not a list of networks, 'auto' or 'none'.")),
    };
    if list.is_empty() {
        return Ok(any());
    }
    let may_have_tag = at_least(version, 42) || (at_least(version, 32) && !at_least(version, 37));
    let wishes = list.into_iter().map(|item| read_network(item, may_have_tag)).collect::<Read<Vec<_>>>()?;
    let mut ports: Vec<&PortId> =
        wishes.iter().filter_map(|(wish, _)| if let NicWish::Port(id) = wish { Some(id) } else { None }).collect();
    let asked = ports.len();
    ports.sort();
    ports.dedup();
    if ports.len() < asked {
        return Err(Fault::bad_request("The same port is asked for twice."));
    }
    Ok(Networks::Wishes(wishes))
}

fn any() -> Networks {
    Networks::Wishes(vec![(NicWish::Any, None)])
}

fn read_network(item: Value, may_have_tag: bool) -> Read<(NicWish, Option<String>)> {
    let mut item = Object::from_value("networks", item)?;
    let port = item.text_or_null("port", 1..=255)?.flatten();
    let network = item.text("uuid", 1..=255)?;
    let fixed_ip: Option<IpAddr> = item.ip("fixed_ip")?;
    let tag = if may_have_tag { tags::of_device(&mut item)? } else { None };
    item.finish()?;
    let uuid = |key: &str, id: String| {
        uuid::Uuid::try_parse(&id)
            .map(|_| id.clone())
            .map_err(|_| wrong(&format!("networks.{key}"), &json!(id), "It is not a UUID."))
    };
    let wish = match (port, network) {
        (Some(_), _) if fixed_ip.is_some() => {
            let message = "Specified Fixed IP cannot be used with a port: the port has its own addresses. Give one of the two.";
            return Err(Fault::bad_request(message));
        }
        (Some(port), _) => NicWish::Port(PortId::new(uuid("port", port)?)),
        (None, Some(network)) => NicWish::Network { id: NetworkId::new(uuid("uuid", network)?), fixed_ip },
        (None, None) => return Err(Fault::bad_request("Bad network format: missing 'uuid'")),
    };
    Ok((wish, tag))
}

fn read_security_groups(ask: &mut Object) -> Read<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for item in ask.list("security_groups")?.unwrap_or_default() {
        let mut item = Object::from_value("security_groups", item)?;
        let name = item.name("name")?;
        item.finish()?;
        names.extend(name.filter(|name| !names.contains(name)));
    }
    Ok(names)
}

fn read_user_data(ask: &mut Object) -> Read<Option<Secret<String>>> {
    ask.text("user_data", 0..=65535)?.map(check_user_data).transpose()
}

/// The same where null says that there shall be none any more.
pub(super) fn read_user_data_or_null(ask: &mut Object) -> Read<Option<Option<Secret<String>>>> {
    let said = ask.text_or_null("user_data", 0..=65535)?;
    said.map(|data| data.map(check_user_data).transpose()).transpose()
}

fn check_user_data(data: String) -> Read<Secret<String>> {
    // Encoders break lines; it is kept as it came, for its owner compares it with what he sent.
    let compact: String = data.split_ascii_whitespace().collect();
    if STANDARD.decode(&compact).is_err() {
        // The value is not shown: user data holds passwords now and then.
        return Err(Fault::bad_request("Invalid input for field/attribute user_data. It is not 'base64'."));
    }
    Ok(Secret::new(data))
}

pub(super) fn read_hostname(ask: &mut Object, version: Microversion) -> Read<Option<String>> {
    if !at_least(version, 90) {
        return Ok(None);
    }
    let Some(hostname) = ask.text("hostname", 1..=255)? else { return Ok(None) };
    let is_valid = if at_least(version, 94) { words::hostname::is_name } else { words::hostname::is_label };
    if !is_valid(&hostname) {
        return Err(wrong("hostname", &json!(hostname), "It is not a host name."));
    }
    Ok(Some(hostname))
}

fn read_host(ask: &mut Object, version: Microversion) -> Read<Option<String>> {
    if !at_least(version, 74) {
        return Ok(None);
    }
    let (host, hypervisor) = (ask.text("host", 1..=255)?, ask.text("hypervisor_hostname", 1..=255)?);
    match (host, hypervisor) {
        (Some(host), Some(hypervisor)) if host != hypervisor => {
            Err(Fault::bad_request(format!("Host '{host}' with hypervisor '{hypervisor}' could not be found.")))
        }
        (host, hypervisor) => Ok(host.or(hypervisor)),
    }
}

pub(super) fn read_access_ip(ask: &mut Object, key: &str) -> Read<Option<String>> {
    let Some(text) = ask.text_or_null(key, 0..=45)?.flatten().filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if key == "accessIPv4" => Ok(Some(address.to_string())),
        Ok(IpAddr::V6(address)) if key == "accessIPv6" => Ok(Some(address.to_string())),
        _ => Err(wrong(key, &json!(text), if key == "accessIPv4" { "It is not a 'ipv4'." } else { "It is not a 'ipv6'." })),
    }
}

pub(super) fn read_disk_config(ask: &mut Object) -> Read<Option<String>> {
    let Some(word) = ask.text("OS-DCF:diskConfig", 0..=16)? else { return Ok(None) };
    match word.as_str() {
        "AUTO" | "MANUAL" => Ok(Some(word)),
        _ => Err(wrong("OS-DCF:diskConfig", &json!(word), "It is not one of ['AUTO', 'MANUAL'].")),
    }
}

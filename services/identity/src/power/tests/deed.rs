// SPDX-License-Identifier: Apache-2.0
//! What people do: each deed a request to the room, told by names, so that a story can be told again without some of it.

use http::StatusCode;
use serde_json::{Value, json};

use super::state::{Key, Spot};

/// One thing that somebody does, or tries to do.
#[derive(Debug, Clone)]
pub struct Deed {
    /// What it makes is called by it.
    pub number: usize,
    pub who: String,
    pub key: Key,
    pub scope: Spot,
    pub act: Act,
}

#[derive(Debug, Clone)]
pub enum Act {
    Give { holder: String, is_group: bool, role: String, spot: Spot },
    Take { holder: String, is_group: bool, role: String, spot: Spot },
    MakeUser { domain: String },
    SetPassword { user: String },
    SetUser { user: String, enabled: bool },
    DropUser { user: String },
    Link { user: String },
    MakeGroup { domain: String },
    ChangeGroup { group: String },
    DropGroup { group: String },
    Join { group: String, user: String },
    Leave { group: String, user: String },
    MakeProject { domain: String, above: Option<String> },
    SetProject { project: String, enabled: bool },
    DropProject { project: String },
    SetDomain { domain: String, enabled: bool },
    MakeRole { domain: Option<String> },
    RenameRole { role: String },
    DropRole { role: String },
    Imply { prior: String, implied: String },
    ImplyNoMore { prior: String, implied: String },
    Vouch { domain: String },
    Keep { user: String, project: Option<String>, kind: &'static str },
    ReadKept,
    ShowKept { kept: String },
    MoveKept { kept: String, user: Option<String>, project: Option<String> },
    NewSecret { kept: String },
    DropKept { kept: String },
    MakeEc2 { user: String, project: String },
    ReadEc2 { user: String },
    MakeProgram { user: String, role: Option<String>, unrestricted: bool },
    DropProgram { program: String },
    MakeTrust { trustor: String, trustee: String, project: String, role: String, impersonation: bool },
    DropTrust { trust: String },
}

/// What came of it.
pub struct Outcome {
    pub status: StatusCode,
    pub body: Value,
}

impl Act {
    /// Method, path and body, if all that it names is there. `id` finds what is called so.
    pub fn request(&self, number: usize, id: impl Fn(&str, &str) -> Option<String>) -> Option<(&'static str, String, Value)> {
        let none = Value::Null;
        Some(match self {
            Self::Give { holder, is_group, role, spot } => ("PUT", grant(holder, *is_group, role, spot, &id)?, none),
            Self::Take { holder, is_group, role, spot } => ("DELETE", grant(holder, *is_group, role, spot, &id)?, none),
            Self::MakeUser { domain } => {
                let user = json!({"name": format!("user{number}"), "domain_id": id("domains", domain)?});
                ("POST", "/v3/users".to_owned(), json!({"user": user}))
            }
            Self::SetPassword { user } => ("PATCH", at("users", user, &id)?, json!({"user": {"password": "known to me"}})),
            Self::SetUser { user, enabled } => ("PATCH", at("users", user, &id)?, json!({"user": {"enabled": enabled}})),
            Self::DropUser { user } => ("DELETE", at("users", user, &id)?, none),
            Self::Link { user } => {
                let name = json!({"protocol_id": "openid", "unique_id": format!("somebody{number}")});
                let links = json!([{"idp_id": "museum", "protocols": [name]}]);
                ("PATCH", at("users", user, &id)?, json!({"user": {"federated": links}}))
            }
            Self::MakeGroup { domain } => {
                let group = json!({"name": format!("group{number}"), "domain_id": id("domains", domain)?});
                ("POST", "/v3/groups".to_owned(), json!({"group": group}))
            }
            Self::ChangeGroup { group } => ("PATCH", at("groups", group, &id)?, json!({"group": {"description": "changed"}})),
            Self::DropGroup { group } => ("DELETE", at("groups", group, &id)?, none),
            Self::Join { group, user } => {
                ("PUT", format!("/v3/groups/{}/users/{}", id("groups", group)?, id("users", user)?), none)
            }
            Self::Leave { group, user } => {
                ("DELETE", format!("/v3/groups/{}/users/{}", id("groups", group)?, id("users", user)?), none)
            }
            Self::MakeProject { domain, above } => {
                let mut project = json!({"name": format!("project{number}"), "domain_id": id("domains", domain)?});
                if let Some(above) = above {
                    project["parent_id"] = id("projects", above)?.into();
                }
                ("POST", "/v3/projects".to_owned(), json!({"project": project}))
            }
            Self::SetProject { project, enabled } => {
                ("PATCH", at("projects", project, &id)?, json!({"project": {"enabled": enabled}}))
            }
            Self::DropProject { project } => ("DELETE", at("projects", project, &id)?, none),
            Self::SetDomain { domain, enabled } => {
                ("PATCH", at("domains", domain, &id)?, json!({"domain": {"enabled": enabled}}))
            }
            Self::MakeRole { domain } => {
                let mut role = json!({"name": format!("role{number}")});
                if let Some(domain) = domain {
                    role["domain_id"] = id("domains", domain)?.into();
                }
                ("POST", "/v3/roles".to_owned(), json!({"role": role}))
            }
            Self::RenameRole { role } => ("PATCH", at("roles", role, &id)?, json!({"role": {"name": format!("role{number}")}})),
            Self::DropRole { role } => ("DELETE", at("roles", role, &id)?, none),
            Self::Imply { prior, implied } => {
                ("PUT", format!("/v3/roles/{}/implies/{}", id("roles", prior)?, id("roles", implied)?), none)
            }
            Self::ImplyNoMore { prior, implied } => {
                ("DELETE", format!("/v3/roles/{}/implies/{}", id("roles", prior)?, id("roles", implied)?), none)
            }
            Self::Vouch { domain } => {
                let provider = json!({"identity_provider": {"domain_id": id("domains", domain)?, "enabled": true}});
                ("PUT", format!("/v3/OS-FEDERATION/identity_providers/idp{number}"), provider)
            }
            Self::Keep { user, project, kind } => {
                let blob = match *kind {
                    "ec2" => json!({"access": format!("access{number}"), "secret": SECRET}).to_string(),
                    _ => SECRET.to_owned(),
                };
                let mut kept = json!({"user_id": id("users", user)?, "type": kind, "blob": blob});
                if let Some(project) = project {
                    kept["project_id"] = id("projects", project)?.into();
                }
                ("POST", "/v3/credentials".to_owned(), json!({"credential": kept}))
            }
            Self::ReadKept => ("GET", "/v3/credentials".to_owned(), none),
            Self::ShowKept { kept } => ("GET", at("credentials", kept, &id)?, none),
            Self::MoveKept { kept, user, project } => {
                let mut change = json!({});
                if let Some(user) = user {
                    change["user_id"] = id("users", user)?.into();
                }
                if let Some(project) = project {
                    change["project_id"] = id("projects", project)?.into();
                }
                ("PATCH", at("credentials", kept, &id)?, json!({"credential": change}))
            }
            Self::NewSecret { kept } => ("PATCH", at("credentials", kept, &id)?, json!({"credential": {"blob": SECRET}})),
            Self::DropKept { kept } => ("DELETE", at("credentials", kept, &id)?, none),
            Self::MakeEc2 { user, project } => {
                let path = format!("/v3/users/{}/credentials/OS-EC2", id("users", user)?);
                ("POST", path, json!({"tenant_id": id("projects", project)?}))
            }
            Self::ReadEc2 { user } => ("GET", format!("/v3/users/{}/credentials/OS-EC2", id("users", user)?), none),
            Self::MakeProgram { user, role, unrestricted } => {
                let roles: Vec<Value> = role.iter().map(|role| json!({"name": role})).collect();
                let program =
                    json!({"name": format!("program{number}"), "roles": roles, "unrestricted": unrestricted, "secret": "s"});
                let path = format!("/v3/users/{}/application_credentials", id("users", user)?);
                ("POST", path, json!({"application_credential": program}))
            }
            // Whose it is belongs to its address, which the arena knows.
            Self::DropProgram { program } => ("DELETE", format!("/v3/users/{}", id("programs", program)?), none),
            Self::MakeTrust { trustor, trustee, project, role, impersonation } => {
                let trust = json!({
                    "trustor_user_id": id("users", trustor)?, "trustee_user_id": id("users", trustee)?, "project_id": id("projects", project)?,
                    "impersonation": impersonation, "roles": [{"name": role}], "allow_redelegation": true,
                });
                ("POST", "/v3/OS-TRUST/trusts".to_owned(), json!({"trust": trust}))
            }
            Self::DropTrust { trust } => ("DELETE", at("OS-TRUST/trusts", trust, &id)?, none),
        })
    }

    /// Whether only somebody who has everything may do this.
    pub fn is_everybodys(&self) -> bool {
        matches!(
            self,
            Self::Link { .. }
                | Self::SetDomain { .. }
                | Self::RenameRole { .. }
                | Self::DropRole { .. }
                | Self::Imply { .. }
                | Self::ImplyNoMore { .. }
                | Self::Vouch { .. }
        )
    }
}

/// The seed of a device, and good as any other secret.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn at(collection: &str, name: &str, id: &impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    Some(format!("/v3/{collection}/{}", id(collection, name)?))
}

fn grant(holder: &str, is_group: bool, role: &str, spot: &Spot, id: &impl Fn(&str, &str) -> Option<String>) -> Option<String> {
    let kind = if is_group { "groups" } else { "users" };
    let own = format!("{kind}/{}/roles/{}", id(kind, holder)?, id("roles", role)?);
    Some(match spot {
        Spot::Project(name) => format!("/v3/projects/{}/{own}", id("projects", name)?),
        Spot::Domain(name) => format!("/v3/domains/{}/{own}", id("domains", name)?),
        Spot::BelowProject(name) => format!("/v3/OS-INHERIT/projects/{}/{own}/inherited_to_projects", id("projects", name)?),
        Spot::BelowDomain(name) => format!("/v3/OS-INHERIT/domains/{}/{own}/inherited_to_projects", id("domains", name)?),
        Spot::System => format!("/v3/system/{own}"),
        Spot::Nowhere => return None,
    })
}

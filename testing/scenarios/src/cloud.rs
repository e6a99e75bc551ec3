// SPDX-License-Identifier: Apache-2.0
//! A cloud of a controller and agents, each on a host of its own, wired by an underlay and a LAN.

use std::{fs, net::Ipv4Addr, path::PathBuf, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use lab::{Host, Lab, Process, wait_for, wait_until};
use serde_json::{Value, json};

use crate::{Account, Api, settings};

/// A debug build on a busy machine.
const START: Duration = Duration::from_secs(60);
/// What the reconcilers may still be cleaning up when a test asks whether all is clean.
const SETTLE: Duration = Duration::from_secs(60);
/// Names the crash point at which a daemon ends itself as if by kill -9.
const TRAP: &str = "FERROSTACK_CRASH";

pub struct Cloud {
    // Fields are dropped in this order: daemons before the hosts that they run on.
    pub controller: Process,
    pub agents: Vec<Agent>,
    pub admin: Api,
    pub central: Host,
    pub lab: Lab,
}

/// The agent of one host.
pub struct Agent {
    pub process: Process,
    pub host: Host,
}

impl Cloud {
    /// A controller on `central` and agents on `hv1` and `hv2`.
    pub fn start() -> Result<Self> {
        Self::with_hosts(&["hv1", "hv2"])
    }

    pub fn with_hosts(names: &[&str]) -> Result<Self> {
        let mut cloud = Self::controller_alone()?;
        for name in names {
            let agent = cloud.join(name)?;
            cloud.agents.push(agent);
        }
        cloud.wait_for_hosts()?;
        Ok(cloud)
    }

    /// Without any host for machines.
    pub fn controller_alone() -> Result<Self> {
        Self::controller_with(|_, own| Ok(settings::controller(own)))
    }

    /// A controller that cannot reach OVN's databases.
    pub fn without_ovn() -> Result<Self> {
        Self::without_ovn_and(|_, _| Ok(String::new()))
    }

    /// The same with further settings, which may name files of the controller's host.
    pub fn without_ovn_and(more: impl Fn(&Host, Ipv4Addr) -> Result<String>) -> Result<Self> {
        Self::controller_with(|central, own| Ok(settings::controller_without_ovn(own) + &more(central, own)?))
    }

    pub(crate) fn controller_with(settings: impl Fn(&Host, Ipv4Addr) -> Result<String>) -> Result<Self> {
        let lab = Lab::new()?;
        let central = lab.host("central")?;
        let own = central.underlay()?;
        write_settings(&central, &settings(&central, own)?)?;
        let mut controller = spawn(&central, "controller", &[], &[])?;
        let door = Api::anonymous(&central, (own, settings::API_PORT).into());
        await_answer(&mut controller, &door)?;
        let admin = door.log_in(&admin_account(&central)?)?;
        Ok(Self { controller, agents: Vec::new(), admin, central, lab })
    }

    /// Where nobody has logged in.
    pub fn anonymous(&self) -> Api {
        self.admin.with_token(None)
    }

    /// The controller's state and settings.
    pub fn home(&self) -> PathBuf {
        home(&self.central)
    }

    pub fn agent(&mut self, name: &str) -> Result<&mut Agent> {
        self.agents.iter_mut().find(|agent| agent.host.name() == name).with_context(|| format!("no agent on {name}"))
    }

    pub fn host(&self, name: &str) -> Result<&Host> {
        Ok(&self.agents.iter().find(|agent| agent.host.name() == name).with_context(|| format!("no agent on {name}"))?.host)
    }

    /// kill -9, and after the pause a new one. Tokens stay good.
    pub fn restart_controller(&mut self, pause: Duration) -> Result<()> {
        self.controller.kill()?;
        thread::sleep(pause);
        self.start_controller()
    }

    pub fn start_controller(&mut self) -> Result<()> {
        self.spawn_controller(&[])
    }

    /// The same for the agent of a host.
    pub fn restart_agent(&mut self, name: &str, pause: Duration) -> Result<()> {
        self.agent(name)?.process.kill()?;
        thread::sleep(pause);
        self.start_agent(name)
    }

    pub fn start_agent(&mut self, name: &str) -> Result<()> {
        self.spawn_agent(name, &[])
    }

    /// Replaces the controller by one that ends the first time it passes this point.
    pub fn set_controller_trap(&mut self, point: &str) -> Result<()> {
        self.controller.kill()?;
        self.spawn_controller(&[(TRAP, point)])
    }

    pub fn set_agent_trap(&mut self, name: &str, point: &str) -> Result<()> {
        self.agent(name)?.process.kill()?;
        self.spawn_agent(name, &[(TRAP, point)])?;
        Ok(())
    }

    fn spawn_controller(&mut self, environment: &[(&str, &str)]) -> Result<()> {
        self.controller = spawn(&self.central, "controller", &[], environment)?;
        await_answer(&mut self.controller, &self.admin)
    }

    fn spawn_agent(&mut self, name: &str, environment: &[(&str, &str)]) -> Result<()> {
        let agent = self.agent(name)?;
        agent.process = spawn(&agent.host, "node", &[], environment)?;
        Ok(())
    }

    pub fn wait_for_hosts(&self) -> Result<()> {
        wait_until("every host to be up", START, || {
            let nodes = self.admin.get("/operator/v1/nodes")?;
            let up = nodes["nodes"].as_array().context("a list of nodes")?.iter().filter(|node| node["up"] == true).count();
            Ok(up == self.agents.len())
        })
    }

    /// The small guest, as an image for everyone.
    pub fn load_guest_image(&self) -> Result<String> {
        let ask = json!({"name": "small-guest", "disk_format": "qcow2", "container_format": "bare", "visibility": "public"});
        let id = crate::id(&self.admin.post("/image/v2/images", &ask)?)?;
        let content = Bytes::from(fs::read(lab::guest_image()?)?);
        let path = format!("/image/v2/images/{id}/file");
        let answer = self.admin.send("PUT", &path, "application/octet-stream", content)?;
        ensure!(answer.status == 204, "{answer}");
        Ok(id)
    }

    /// An untagged network of the LAN, 172.24.4.0/24, with floating addresses from .100 on. The LAN's own hosts are below.
    pub fn make_external(&self) -> Result<String> {
        let ask = json!({"network": {"name": "external", "router:external": true, "provider:network_type": "flat",
            "provider:physical_network": "lan"}});
        let network = crate::id(&self.admin.post("/network/v2.0/networks", &ask)?["network"])?;
        let ask = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "172.24.4.0/24", "gateway_ip": "172.24.4.1",
            "enable_dhcp": false, "allocation_pools": [{"start": "172.24.4.100", "end": "172.24.4.200"}]}});
        self.admin.post("/network/v2.0/subnets", &ask)?;
        Ok(network)
    }

    /// A new project with one user, both of this name, logged in.
    pub fn tenant(&self, name: &str) -> Result<Api> {
        let project = self.admin.post("/identity/v3/projects", &json!({"project": {"name": name}}))?;
        let project = crate::id(&project["project"])?;
        let password = format!("canary-password-of-{name}");
        let user = self.admin.post("/identity/v3/users", &json!({"user": {"name": name, "password": password}}))?;
        let user = crate::id(&user["user"])?;
        let roles = self.admin.get("/identity/v3/roles?name=member")?;
        let role = crate::id(&roles["roles"][0])?;
        self.admin.put(&format!("/identity/v3/projects/{project}/users/{user}/roles/{role}"), &json!({}))?;
        self.admin.log_in(&Account { user: name.into(), password, project: name.into() })
    }

    /// What is not as it should be, by the rooms' own comparison.
    pub fn audit(&self) -> Result<Vec<Value>> {
        Ok(self.admin.get("/operator/v1/audit")?["findings"].as_array().context("a list of findings")?.clone())
    }

    pub fn wait_for_clean_audit(&self) -> Result<()> {
        let mut last = Vec::new();
        let clean = wait_until("an audit without findings", SETTLE, || {
            last = self.audit()?;
            Ok(last.is_empty())
        });
        clean.with_context(|| format!("the audit found {last:#?}"))
    }

    /// What the program on this host says when it is run to its end, with this cloud's home.
    pub fn ferrostack(&self, host: &Host, words: &[&str]) -> Result<String> {
        let mut command = host.command([lab::ferrostack()?.as_os_str()].into_iter().chain(words.iter().map(AsRef::as_ref)));
        let output = command.env("FERROSTACK_HOME", home(host)).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "ferrostack {words:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }

    /// The last line of a test: nothing panicked, and no secret stands in a log.
    pub fn passed(self) -> Result<()> {
        let hosts = self.agents.iter().map(|agent| (&agent.process, &agent.host));
        for (process, host) in [(&self.controller, &self.central)].into_iter().chain(hosts) {
            let log = process.log()?;
            ensure!(!log.contains("panicked at"), "{} on {} panicked: see its log", process.name(), host.name());
            let secrets =
                ["canary-", "gAAAAA"].into_iter().map(str::to_owned).chain(self.admin.account().map(|me| me.password.clone()));
            for secret in secrets {
                ensure!(!log.contains(&secret), "the log of {} on {} holds a secret", process.name(), host.name());
            }
        }
        self.lab.passed()
    }

    pub(crate) fn join(&self, name: &str) -> Result<Agent> {
        let host = self.lab.host(name)?;
        let own = host.underlay()?;
        self.lab.add_tunnel_card(&host, settings::TUNNEL_CARD)?;
        write_settings(&host, &settings::node(own))?;
        let made = self.admin.post("/operator/v1/join-tokens", &json!({}))?;
        let token = made["join_token"]["token"].as_str().context("a join token")?;
        let process = spawn(&host, "node", &["--join", token], &[])?;
        place_tunnel_address(&host)?;
        Ok(Agent { process, host })
    }
}

pub(crate) fn home(host: &Host) -> PathBuf {
    host.folder().join("home")
}

pub(crate) fn spawn(host: &Host, role: &str, more: &[&str], environment: &[(&str, &str)]) -> Result<Process> {
    let (program, home) = (lab::ferrostack()?, home(host));
    let words = [program.as_os_str(), role.as_ref(), "--home".as_ref(), home.as_os_str()];
    let mut command = host.command(words.into_iter().chain(more.iter().map(AsRef::as_ref)));
    command.envs(environment.iter().copied());
    host.spawn_command(role, command)
}

pub(crate) fn write_settings(host: &Host, text: &str) -> Result<()> {
    fs::create_dir_all(home(host))?;
    Ok(fs::write(home(host).join("ferrostack.toml"), text)?)
}

pub(crate) fn await_answer(controller: &mut Process, door: &Api) -> Result<()> {
    wait_for("the controller to answer", START, || {
        if !controller.is_alive()? {
            return Ok(Some(Err(anyhow::anyhow!("the controller ended at once:\n{}", controller.log()?))));
        }
        door.with_token(None).get("/healthcheck").map(|_| Some(Ok(())))
    })?
}

fn admin_account(central: &Host) -> Result<Account> {
    let password = fs::read_to_string(home(central).join("secrets/admin-password"))?.trim().to_owned();
    Ok(Account { user: "admin".into(), password, project: "admin".into() })
}

/// The bridge that the agent has made gets the address to which the other hosts send their tunnels.
fn place_tunnel_address(host: &Host) -> Result<()> {
    let (address, bridge) = (settings::tunnel_address(host.underlay()?), settings::TUNNEL_BRIDGE);
    wait_until("the bridge of the tunnels", START, || Ok(host.output(["ip", "link", "set", bridge, "up"])?.status.success()))?;
    host.run(["ip", "address", "replace", &format!("{address}/24"), "dev", bridge]).map(drop)
}

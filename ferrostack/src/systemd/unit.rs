// SPDX-License-Identifier: Apache-2.0
//! The text of our units. They are written by `up` and read by systemd alone.
//!
//! What a role starts (databases, switches, machines) outlives it, under systemd as without: hence `KillMode=process`. That
//! one of them is killed for want of memory is no reason to end the role, hence `OOMPolicy`. A role that fails is started
//! again for as long as it takes; one that is asked to end stays down.

use std::path::Path;

use crate::{config::Config, home::Home};

/// What the units of a cloud follow from.
pub struct Plan<'a> {
    pub home: &'a Home,
    /// The namespace of a cloud beside another.
    pub namespace: Option<&'a str>,
    pub program: &'a Path,
}

/// Our three units, by the word that ends their names.
pub const UNITS: [&str; 3] = ["host", "controller", "node"];

impl<'a> Plan<'a> {
    pub fn new(home: &'a Home, config: &'a Config, program: &'a Path) -> Self {
        Self { home, namespace: config.node.namespace.as_deref(), program }
    }

    pub fn text(&self, unit: &str) -> String {
        if unit == "host" { self.host() } else { self.role(unit) }
    }

    /// A unit for a role.
    fn role(&self, role: &str) -> String {
        let what = if role == "controller" { "controller" } else { "agent of this host" };
        let state = self.home.state.display();
        let log = plain(&self.home.logs().join(format!("{role}.log")));
        // The wires to the namespace of a cloud beside another are there before anything listens on them.
        let wires = self.namespace.map(|_| name(self.home, "host"));
        let wants = wires.as_deref().map(|host| format!("Wants={host}\nAfter={host}\n")).unwrap_or_default();
        let before = if role == "node" { format!(" {}", name(self.home, "controller")) } else { String::new() };
        let enter = match self.namespace.filter(|_| role == "node") {
            Some(namespace) => format!("ip netns exec {} ", quoted(namespace)),
            None => String::new(),
        };
        format!(
            "# Written by `ferrostack up`, taken away by `ferrostack down`.\n\
             [Unit]\n\
             Description=Ferrostack's {what} ({})\n\
             Wants=network-online.target\n\
             After=network-online.target openvswitch-switch.service ovn-central.service postgresql.service{before}\n\
             {wants}\
             RequiresMountsFor={}\n\
             StartLimitIntervalSec=0\n\
             \n\
             [Service]\n\
             Type=exec\n\
             ExecStart={enter}{} {role} --home {}\n\
             StandardOutput=append:{log}\n\
             StandardError=append:{log}\n\
             Restart=on-failure\n\
             RestartSec=2\n\
             KillMode=process\n\
             TimeoutStopSec=30\n\
             OOMPolicy=continue\n\
             TasksMax=infinity\n\
             LimitNOFILE=65536:524288\n\
             \n\
             [Install]\n\
             WantedBy=multi-user.target\n",
            plain(Path::new(&state.to_string())),
            quoted(&state.to_string()),
            argument(&self.program.display().to_string()),
            argument(&state.to_string()),
        )
    }

    /// A unit for what the kernel forgets at a reboot: wires, addresses, the way out.
    fn host(&self) -> String {
        let state = self.home.state.display().to_string();
        // A default cloud's addresses are on bridges that the agent makes; one beside it needs them before.
        let after = if self.namespace.is_some() { String::new() } else { format!(" {}", name(self.home, "node")) };
        format!(
            "# Written by `ferrostack up`, taken away by `ferrostack down`.\n\
             [Unit]\n\
             Description=The host's own place in Ferrostack's networks ({})\n\
             After=network.target{after}\n\
             RequiresMountsFor={}\n\
             StartLimitIntervalSec=0\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             RemainAfterExit=yes\n\
             ExecStart={} host --home {}\n\
             Restart=on-failure\n\
             RestartSec=5\n\
             \n\
             [Install]\n\
             WantedBy=multi-user.target\n",
            plain(Path::new(&state)),
            quoted(&state),
            argument(&self.program.display().to_string()),
            argument(&state),
        )
    }
}

/// `ferrostack-node.service`; those of a cloud beside the default one bear its tag.
pub fn name(home: &Home, unit: &str) -> String {
    if home.is_default() { format!("ferrostack-{unit}.service") } else { format!("ferrostack-{}-{unit}.service", home.tag()) }
}

/// A path where systemd takes the rest of the line: a percent sign would begin one of its own words.
fn plain(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

/// A word of a list.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{escaped}\"")
}

/// A word of a command line, in which a dollar would begin a variable.
fn argument(text: &str) -> String {
    quoted(text).replace('$', "$$")
}

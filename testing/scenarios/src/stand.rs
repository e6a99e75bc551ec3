// SPDX-License-Identifier: Apache-2.0
//! Machines without a guest: a namespace of a host that is plugged into a port as a machine would be, and programs in it. What
//! passes between them is packets as those of guests are, at none of their cost.

use anyhow::{Context, Result};
use lab::{Host, Process};
use serde_json::Value;

use crate::{address, cloud::home, id};

pub struct Stand<'a> {
    host: &'a Host,
    name: String,
    pub address: String,
}

/// Says its name to whoever connects or sends a datagram, and what it is told over a connection it says again.
const SERVER: &str = r#"
import socket, socketserver, sys, threading
name = sys.argv[1].encode()
class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(name + b"\n")
        for line in self.rfile:
            self.wfile.write(line)
class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(name, self.client_address)
class Streams(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
class Datagrams(socketserver.ThreadingUDPServer):
    allow_reuse_address = True
threading.Thread(target=Datagrams(("", 53), Datagram).serve_forever, daemon=True).start()
Streams(("", 80), Stream).serve_forever()
"#;

/// Asks so often who is there, over connections or datagrams, and prints what was answered, a line each.
const CLIENT: &str = r#"
import socket, sys
kind, host, port, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for _ in range(times):
    try:
        if kind == "tcp":
            with socket.create_connection((host, port), timeout=3) as s:
                print(s.makefile().readline().strip())
        else:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(3)
                s.sendto(b"?", (host, port))
                print(s.recv(100).decode())
    except OSError as error:
        print("!", error)
"#;

/// Holds one connection, says something every quarter of a second for so many seconds, and ends well if it always came back.
const HOLDER: &str = r#"
import socket, sys, time
with socket.create_connection((sys.argv[1], 80), timeout=5) as s:
    stream = s.makefile("rw")
    stream.readline()
    until = time.time() + float(sys.argv[2])
    while time.time() < until:
        stream.write("still there\n"); stream.flush()
        assert stream.readline() == "still there\n"
        time.sleep(0.25)
"#;

impl<'a> Stand<'a> {
    /// Plugs a namespace of this name into the port. `gateway` is its way out, if it has one.
    pub fn plug(host: &'a Host, name: &str, port: &Value, gateway: Option<&str>) -> Result<Self> {
        let (id, address) = (id(port)?, address(port)?);
        let mac = port["mac_address"].as_str().context("a MAC address")?;
        let device = format!("v-{name}");
        host.run(["ip", "netns", "add", name])?;
        host.run(["ip", "link", "add", &device, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", name])?;
        host.run(["ip", "link", "set", &device, "mtu", "1400", "up"])?;
        for words in [
            vec!["ip", "link", "set", "lo", "up"],
            vec!["ip", "addr", "add", &format!("{address}/24"), "dev", "eth0"],
            vec!["ip", "link", "set", "eth0", "mtu", "1400", "up"],
            vec!["ethtool", "-K", "eth0", "tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"],
        ] {
            host.run(["ip", "netns", "exec", name].into_iter().chain(words))?;
        }
        if let Some(gateway) = gateway {
            host.run(["ip", "-n", name, "route", "add", "default", "via", gateway])?;
        }
        host.run(["ethtool", "-K", &device, "tx", "off", "rx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off"])?;
        let switch = format!("--db=unix:{}", home(host).join("run/db.sock").display());
        let iface = format!("external_ids:iface-id={id}");
        host.run(["ovs-vsctl", &switch, "add-port", "br-int", &device, "--", "set", "interface", &device, &iface])?;
        Ok(Self { host, name: name.to_owned(), address })
    }

    /// Serves on port 80 and, by datagrams, on port 53, until the process is dropped.
    pub fn serve(&self) -> Result<Process> {
        let words = ["ip", "netns", "exec", &self.name, "python3", "-c", SERVER, &self.name];
        self.host.spawn(&format!("server-{}", self.name), words)
    }

    pub fn ask(&self, kind: &str, address: &str, port: u16, times: u32) -> Result<Vec<String>> {
        let (port, times) = (port.to_string(), times.to_string());
        let said = self.host.run(["ip", "netns", "exec", &self.name, "python3", "-c", CLIENT, kind, address, &port, &times])?;
        Ok(said.lines().map(str::to_owned).collect())
    }

    pub fn hold(&self, address: &str, seconds: u32) -> Result<Process> {
        let words =
            ["ip", "netns", "exec", &self.name, "python3", "-c", HOLDER, address, &seconds.to_string()].map(str::to_owned);
        self.host.spawn(&format!("holder-{}", self.name), words)
    }

    pub fn unplug(self) -> Result<()> {
        let switch = format!("--db=unix:{}", home(self.host).join("run/db.sock").display());
        let device = format!("v-{}", self.name);
        self.host.run(["ovs-vsctl", &switch, "--if-exists", "del-port", "br-int", &device])?;
        self.host.run(["ip", "netns", "del", &self.name]).map(drop)
    }
}

/// The same question from a host itself.
pub fn ask_from(host: &Host, kind: &str, address: &str, port: u16, times: u32) -> Result<Vec<String>> {
    let (port, times) = (port.to_string(), times.to_string());
    let said = host.run(["python3", "-c", CLIENT, kind, address, &port, &times])?;
    Ok(said.lines().map(str::to_owned).collect())
}

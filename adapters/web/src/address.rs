// SPDX-License-Identifier: Apache-2.0
//! Which addresses and ports may be connected to.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
};

use ipnet::IpNet;

/// What a fetch may reach. Ranges that the operator allows win over everything else that is said here.
#[derive(Debug, Clone)]
pub struct Rules {
    everything: bool,
    only_https: bool,
    allowed: Vec<IpNet>,
    refused: Vec<IpNet>,
    ports: Option<Vec<u16>>,
}

/// What an address is that may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Unspecified,
    Loopback,
    LinkLocal,
    Private,
    Multicast,
    /// Set aside for documentation, tests, or the future.
    Reserved,
    /// An IPv6 address that stands for another one, by a mechanism that nobody needs here.
    Tunnel,
    /// One of the cloud's own.
    Own,
}

impl Rules {
    /// Addresses that the whole Internet can reach, on ports 80 and 443.
    pub fn public() -> Self {
        Self { everything: false, only_https: false, allowed: Vec::new(), refused: Vec::new(), ports: Some(vec![80, 443]) }
    }

    /// For URLs that the operator wrote himself.
    pub fn everything() -> Self {
        Self { everything: true, ports: None, ..Self::public() }
    }

    #[must_use]
    pub fn allow(mut self, range: IpNet) -> Self {
        self.allowed.push(range);
        self
    }

    /// Adds a range that is refused although it is public: the cloud's own addresses. Those of this host need not be said.
    #[must_use]
    pub fn refuse(mut self, range: IpNet) -> Self {
        self.refused.push(range);
        self
    }

    #[must_use]
    pub fn ports(mut self, ports: Vec<u16>) -> Self {
        self.ports = Some(ports);
        self
    }

    #[must_use]
    pub fn any_port(mut self) -> Self {
        self.ports = None;
        self
    }

    #[must_use]
    pub fn only_https(mut self) -> Self {
        self.only_https = true;
        self
    }

    pub(crate) fn admits_plain_http(&self) -> bool {
        !self.only_https
    }

    pub(crate) fn admits_port(&self, port: u16) -> bool {
        self.ports.as_ref().is_none_or(|ports| ports.contains(&port))
    }

    /// Judges one address.
    pub fn check(&self, address: IpAddr) -> Result<(), Why> {
        let meant = meant(address);
        let within = |ranges: &[IpNet]| ranges.iter().any(|range| range.contains(&address) || range.contains(&meant));
        if self.everything || within(&self.allowed) {
            return Ok(());
        }
        if let Some(why) = kind(meant) {
            return Err(why);
        }
        if within(&self.refused) || is_of_this_host(meant) { Err(Why::Own) } else { Ok(()) }
    }
}

/// The address that a packet to `address` ends at: IPv4 written as IPv6, or reached through a NAT64.
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    let [a, b, c, d, e, f, g, h] = v6.segments();
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [[g0, g1], [h0, h1]] = [g.to_be_bytes(), h.to_be_bytes()];
        return Ipv4Addr::new(g0, g1, h0, h1).into();
    }
    address
}

fn kind(address: IpAddr) -> Option<Why> {
    match address {
        IpAddr::V4(v4) => kind_of_v4(v4),
        IpAddr::V6(v6) => kind_of_v6(v6),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Option<Why> {
    match address.octets() {
        [0, ..] => Some(Why::Unspecified),
        [127, ..] => Some(Why::Loopback),
        // The metadata address is one of these.
        [169, 254, ..] => Some(Why::LinkLocal),
        // The last but one is the range that carriers use behind their NAT; clouds hide their services in it, too.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some(Why::Private),
        [224..=239, ..] => Some(Why::Multicast),
        [192, 0, 0, _] | [192, 0, 2, _] | [192, 88, 99, _] | [198, 18..=19, ..] => Some(Why::Reserved),
        [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => Some(Why::Reserved),
        _ => None,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Option<Why> {
    if address == Ipv6Addr::UNSPECIFIED {
        return Some(Why::Unspecified);
    }
    if address == Ipv6Addr::LOCALHOST {
        return Some(Why::Loopback);
    }
    match address.segments() {
        [0xff00..=0xffff, ..] => Some(Why::Multicast),
        [0xfe80..=0xfebf, ..] => Some(Why::LinkLocal),
        // Unique local addresses, and the site-local ones that they replaced.
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some(Why::Private),
        // 6to4, Teredo, IPv4-compatible, and NAT64 by a prefix of the site's own.
        [0x2002, ..] | [0x2001, 0, ..] | [0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => Some(Why::Tunnel),
        // An interface identifier that holds an IPv4 address (ISATAP).
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Some(Why::Tunnel),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x2001, 2, 0, ..] | [0x100, 0, 0, 0, ..] => Some(Why::Reserved),
        // Only this eighth of the space was ever given out.
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Why::Reserved),
    }
}

/// A packet of this host to itself leaves from the address that it goes to. Asking the routing table sends nothing.
fn is_of_this_host(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let leaves_from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    // Without a route nothing can be reached either.
    leaves_from.is_ok_and(|from| from.ip() == address)
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unspecified => "no address of a host",
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Private => "a private address",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
            Self::Tunnel => "an address that stands for another one",
            Self::Own => "an address of this cloud",
        })
    }
}

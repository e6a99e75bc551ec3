// SPDX-License-Identifier: Apache-2.0
//! Frames as no honest host would send them: any source address, any claim by ARP.

use std::{net::Ipv4Addr, os::fd::AsRawFd};

use anyhow::{Context, Result};
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, sendto, socket},
};
use types::Mac;

use crate::Host;

const BROADCAST: Mac = Mac([0xff; 6]);
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const UDP: u8 = 17;

impl Host {
    /// Puts a frame on a device's wire as it is.
    pub fn send_frame(&self, device: &str, frame: &[u8]) -> Result<()> {
        self.in_network(|| {
            let address = getifaddrs()?
                .filter(|interface| interface.interface_name == device)
                .find_map(|interface| interface.address?.as_link_addr().copied())
                .with_context(|| format!("{} has no device {device}", self.name()))?;
            let wire = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
            sendto(wire.as_raw_fd(), frame, &address, MsgFlags::empty()).context("sending the frame")?;
            Ok(())
        })
    }
}

/// An ARP reply to everyone: "this address is at this Ethernet address", sent from `source`.
pub fn arp_claim(source: Mac, claimed: Ipv4Addr, at: Mac) -> Vec<u8> {
    let mut payload = vec![0, 1, 8, 0, 6, 4, 0, 2];
    for _ in 0..2 {
        payload.extend(at.0);
        payload.extend(claimed.octets());
    }
    ethernet(BROADCAST, source, ARP, &payload)
}

/// A UDP datagram to port 9, with any addresses.
pub fn datagram(to: (Mac, Ipv4Addr), from: (Mac, Ipv4Addr), text: &[u8]) -> Vec<u8> {
    let length = |header: usize| u16::try_from(header + text.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut packet = vec![0x45, 0];
    packet.extend(length(28));
    packet.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
    packet.extend(from.1.octets());
    packet.extend(to.1.octets());
    let sum = checksum(&packet).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet.extend([0, 9, 0, 9]);
    packet.extend(length(8));
    packet.extend([0, 0]); // no checksum, which UDP over IPv4 allows
    packet.extend(text);
    ethernet(to.0, from.0, IPV4, &packet)
}

pub fn ethernet(to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [to.0, from.0].concat();
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame.resize(frame.len().max(60), 0); // the shortest frame of Ethernet
    frame
}

fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

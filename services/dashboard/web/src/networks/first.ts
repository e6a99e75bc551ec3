// SPDX-License-Identifier: Apache-2.0
// A first network for those who have none: with addresses, and a way to the outside where there is one.

import { make, type Network, type Router, routerCard, type Subnet } from './api';

export const FIRST_CIDR = '10.0.0.0/24';

export async function makeNetwork(name: string, cidr: string, outside: string | undefined, dns: string[] = []): Promise<Network> {
  const network = await make<Network>('networks', { name });
  const version = cidr.includes(':') ? 6 : 4;
  const subnet = await make<Subnet>('subnets', {
    network_id: network.id, name, cidr, ip_version: version, ...(dns.length > 0 && { dns_nameservers: dns }),
    ...(version === 6 && { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' }),
  });
  if (outside) {
    const router = await make<Router>('routers', { name, external_gateway_info: { network_id: outside } });
    await routerCard(router.id, 'add', { subnet_id: subnet.id });
  }
  return network;
}

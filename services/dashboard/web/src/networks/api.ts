// SPDX-License-Identifier: Apache-2.0
// What the network service has: networks, subnets, ports, routers.

import { call, part, type Read, touch, useList } from '../wire';

export interface Network {
  id: string; name: string; status: string; admin_state_up: boolean; shared: boolean; 'router:external': boolean; subnets: string[]; mtu: number;
  port_security_enabled: boolean; tenant_id: string; description: string; 'provider:network_type'?: string; 'provider:segmentation_id'?: number | null;
  'provider:physical_network'?: string | null;
}
export interface Subnet {
  id: string; name: string; network_id: string; cidr: string; ip_version: 4 | 6; gateway_ip: string | null; enable_dhcp: boolean;
  dns_nameservers: string[]; allocation_pools: { start: string; end: string }[]; tenant_id: string;
}
export interface Port {
  id: string; name: string; network_id: string; status: string; mac_address: string; fixed_ips: { ip_address: string; subnet_id: string }[];
  device_id: string; device_owner: string; security_groups: string[]; port_security_enabled: boolean; admin_state_up: boolean;
  allowed_address_pairs: { ip_address: string; mac_address?: string }[]; tenant_id: string;
}
export interface Router {
  id: string; name: string; status: string; admin_state_up: boolean; tenant_id: string;
  external_gateway_info: null | { network_id: string; enable_snat: boolean; external_fixed_ips: { ip_address: string }[] };
}

export function useNetworks(): Read<Network[]> {
  return useList<Network>('network', '/networks', 'networks', ['network', 'subnet']);
}

export function useSubnets(): Read<Subnet[]> {
  return useList<Subnet>('network', '/subnets', 'subnets', ['subnet', 'network']);
}

export function usePorts(filter?: string): Read<Port[]> {
  return useList<Port>('network', filter ? `/ports?${filter}` : '/ports', 'ports', ['port']);
}

export function useRouters(): Read<Router[]> {
  return useList<Router>('network', '/routers', 'routers', ['router', 'port']);
}

export type Collection = 'networks' | 'subnets' | 'ports' | 'routers' | 'security-groups' | 'security-group-rules' | 'floatingips';

/** Which kinds of things are others when one of a collection is. */
const TOUCHES: Record<Collection, string[]> = {
  networks: ['network'], subnets: ['subnet', 'network'], ports: ['port', 'server'], routers: ['router', 'port'], 'security-groups': ['security_group'],
  'security-group-rules': ['security_group', 'security_group_rule'], floatingips: ['floatingip', 'server'],
};

function nounOf(of: Collection): string {
  return of.replaceAll('-', '_').replace(/s$/, '');
}

export async function make<T extends { id: string }>(of: Collection, body: Record<string, unknown>): Promise<T> {
  const noun = nounOf(of);
  const answer = await call<Record<string, T>>('network', `/${of}`, { method: 'POST', json: { [noun]: body } });
  touch(...TOUCHES[of]);
  return answer[noun]!;
}

export async function alter(of: Collection, id: string, body: Record<string, unknown>): Promise<void> {
  await call('network', `/${of}/${part(id)}`, { method: 'PUT', json: { [nounOf(of)]: body } });
  touch(...TOUCHES[of]);
}

export async function remove(of: Collection, id: string): Promise<void> {
  await call('network', `/${of}/${part(id)}`, { method: 'DELETE' });
  touch(...TOUCHES[of]);
}

export async function routerCard(router: string, what: 'add' | 'remove', body: Record<string, unknown>): Promise<void> {
  await call('network', `/routers/${part(router)}/${what}_router_interface`, { method: 'PUT', json: body });
  touch('router', 'port');
}

/** Words of the network service for what has a port. */
export function holderOf(port: Port): string {
  const owner = port.device_owner;
  if (owner.startsWith('compute:')) return 'server';
  if (owner === 'network:router_gateway') return 'router, to the outside';
  if (owner.startsWith('network:router')) return 'router';
  if (owner === 'network:floatingip') return 'floating address';
  if (owner === 'network:dhcp' || owner === 'network:distributed') return 'the cloud itself';
  if (/loadbalancer/i.test(owner)) return 'load balancer';
  return owner || 'nothing yet';
}

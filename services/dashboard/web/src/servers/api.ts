// SPDX-License-Identifier: Apache-2.0
// Servers as compute shows them, and what can be asked of them.

import { call, type Read, touch, useList, useOne } from '../wire';

export interface Address { addr: string; version: 4 | 6; 'OS-EXT-IPS:type'?: 'fixed' | 'floating'; 'OS-EXT-IPS-MAC:mac_addr'?: string }

export interface Server {
  id: string;
  name: string;
  status: string;
  created: string;
  updated: string;
  key_name: string | null;
  locked: boolean;
  tenant_id: string;
  image: { id: string } | '';
  flavor: { vcpus: number; ram: number; disk: number; original_name: string };
  addresses: Record<string, Address[]>;
  security_groups?: { name: string }[];
  fault?: { message: string; created: string };
  'OS-EXT-STS:task_state': string | null;
  'OS-EXT-STS:power_state': number;
  'OS-EXT-AZ:availability_zone': string;
  'OS-EXT-SRV-ATTR:host'?: string | null;
  'OS-EXT-SRV-ATTR:hypervisor_hostname'?: string | null;
  'os-extended-volumes:volumes_attached': { id: string }[];
}

export interface Flavor { id: string; name: string; vcpus: number; ram: number; disk: number }
export interface InstanceAction { action: string; request_id: string; start_time: string; updated_at: string; message: string | null; user_id: string }
export interface Interface { port_id: string; net_id: string; mac_addr: string; port_state: string; fixed_ips: { ip_address: string; subnet_id: string }[] }
export interface Attachment { volumeId: string; device: string; delete_on_termination?: boolean }

const KINDS = ['server', 'port', 'floatingip', 'volume'];

export function useServers(): Read<Server[]> {
  return useList<Server>('compute', '/servers/detail?limit=1000', 'servers', KINDS);
}

export function useServer(id: string): Read<Server> {
  return useOne<Server>('compute', `/servers/${encodeURIComponent(id)}`, 'server', KINDS);
}

export function useFlavors(): Read<Flavor[]> {
  return useList<Flavor>('compute', '/flavors/detail', 'flavors', ['flavor']);
}

export async function act(id: string, what: Record<string, unknown>): Promise<void> {
  await call('compute', `/servers/${encodeURIComponent(id)}/action`, { method: 'POST', json: what });
  touch('server');
}

export async function remove(id: string): Promise<void> {
  await call('compute', `/servers/${encodeURIComponent(id)}`, { method: 'DELETE' });
  touch('server');
}

export function addressesOf(server: Server): string[] {
  return Object.values(server.addresses).flat().map((one) => one.addr);
}

/** What it is and what it is doing: `active`, or `rebooting` while that is under way. */
export function doing(server: Server): { is: string; words?: string } {
  const task = server['OS-EXT-STS:task_state'];
  if (!task) return { is: server.status };
  return { is: 'MOVING', words: task.replaceAll('_', ' ').replaceAll('-', ' ') };
}

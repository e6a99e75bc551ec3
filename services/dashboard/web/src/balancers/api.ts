// SPDX-License-Identifier: Apache-2.0
// Load balancers as Octavia shows them.

import { call, part, type Read, touch, useList, useRead } from '../wire';

export interface Balancer {
  id: string; name: string; description: string; provisioning_status: string; operating_status: string; vip_address: string; vip_port_id: string;
  vip_subnet_id: string; vip_network_id: string; provider: string; listeners: { id: string }[]; pools: { id: string }[]; created_at: string;
}
export interface Listener { id: string; name: string; protocol: string; protocol_port: number; default_pool_id: string | null; loadbalancers: { id: string }[]; operating_status: string; provisioning_status: string }
export interface Pool { id: string; name: string; protocol: string; lb_algorithm: string; loadbalancers: { id: string }[]; healthmonitor_id: string | null; operating_status: string }
export interface Member { id: string; name: string; address: string; protocol_port: number; weight: number; operating_status: string; provisioning_status: string }
export interface Stats { active_connections: number; total_connections: number; bytes_in: number; bytes_out: number; request_errors: number }

const KINDS = ['load_balancer', 'listener', 'pool', 'pool_member', 'health_monitor'];

export function useBalancers(): Read<Balancer[]> {
  return useList<Balancer>('balancer', '/lbaas/loadbalancers', 'loadbalancers', KINDS);
}

export function useListeners(): Read<Listener[]> {
  return useList<Listener>('balancer', '/lbaas/listeners', 'listeners', KINDS);
}

export function usePools(): Read<Pool[]> {
  return useList<Pool>('balancer', '/lbaas/pools', 'pools', KINDS);
}

export function useMembers(pool: string | undefined): Read<Member[]> {
  return useList<Member>('balancer', pool && `/lbaas/pools/${part(pool)}/members`, 'members', KINDS);
}

export function useStats(id: string): Read<Stats> {
  return useRead(`balancer stats ${id}`, [...KINDS, 'statistics'], async () => (await call<{ stats: Stats }>('balancer', `/lbaas/loadbalancers/${part(id)}/stats`)).stats);
}

/** Which kinds of service the cloud's providers carry. */
export function useProviders(): Read<{ name: string; description: string }[]> {
  return useList('balancer', '/lbaas/providers', 'providers', ['provider']);
}

async function made<T extends { id: string }>(path: string, noun: string, body: Record<string, unknown>): Promise<T> {
  const answer = await call<Record<string, T>>('balancer', `/lbaas/${path}`, { method: 'POST', json: { [noun]: body } });
  touch(...KINDS);
  return answer[noun]!;
}

export interface Wish {
  name: string; provider: string; subnet: string; address: string; protocol: string; port: string; algorithm: string; memberPort: string;
  members: string[]; watch: boolean; path: string;
}

/** Whoever asks for a whole one gets it in one go; what is under way is waited for by the service itself. */
export async function makeBalancer(wish: Wish, addressOf: (server: string) => string): Promise<void> {
  const balancer = await made<Balancer>('loadbalancers', 'loadbalancer', {
    name: wish.name, vip_subnet_id: wish.subnet, ...(wish.address && { vip_address: wish.address }), ...(wish.provider && { provider: wish.provider }),
  });
  const inside = wish.protocol === 'HTTPS' ? 'TCP' : wish.protocol;
  const pool = await made<Pool>('pools', 'pool', { loadbalancer_id: balancer.id, name: wish.name, protocol: inside, lb_algorithm: wish.algorithm });
  await made<Listener>('listeners', 'listener', {
    loadbalancer_id: balancer.id, name: wish.name, protocol: inside, protocol_port: Number(wish.port), default_pool_id: pool.id,
  });
  if (wish.watch) await made('healthmonitors', 'healthmonitor', monitorOf(wish, pool.id));
  for (const server of wish.members) await addMember(pool.id, server, addressOf(server), Number(wish.memberPort), wish.subnet);
}

function monitorOf(wish: Wish, pool: string): Record<string, unknown> {
  const type = wish.protocol === 'HTTP' ? 'HTTP' : wish.protocol === 'UDP' ? 'UDP-CONNECT' : 'TCP';
  return { pool_id: pool, type, delay: 5, timeout: 3, max_retries: 3, ...(type === 'HTTP' && { url_path: wish.path || '/' }) };
}

export async function addMember(pool: string, name: string, address: string, port: number, subnet?: string): Promise<void> {
  await made(`pools/${part(pool)}/members`, 'member', { name, address, protocol_port: port, ...(subnet && { subnet_id: subnet }) });
}

export async function setWeight(pool: string, member: string, weight: number): Promise<void> {
  await call('balancer', `/lbaas/pools/${part(pool)}/members/${part(member)}`, { method: 'PUT', json: { member: { weight } } });
  touch(...KINDS);
}

export async function removeMember(pool: string, member: string): Promise<void> {
  await call('balancer', `/lbaas/pools/${part(pool)}/members/${part(member)}`, { method: 'DELETE' });
  touch(...KINDS);
}

export async function removeBalancer(id: string): Promise<void> {
  await call('balancer', `/lbaas/loadbalancers/${part(id)}?cascade=true`, { method: 'DELETE' });
  touch(...KINDS);
}

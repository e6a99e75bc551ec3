// SPDX-License-Identifier: Apache-2.0
// Security groups: who may reach a machine, and by what.

import { type Read, useList } from '../../wire';

export interface Rule {
  id: string; direction: 'ingress' | 'egress'; ethertype: 'IPv4' | 'IPv6'; protocol: string | null; port_range_min: number | null; port_range_max: number | null;
  remote_ip_prefix: string | null; remote_group_id: string | null; security_group_id: string;
}
export interface Group { id: string; name: string; description: string; tenant_id: string; security_group_rules: Rule[] }

export function useGroups(): Read<Group[]> {
  return useList<Group>('network', '/security-groups', 'security_groups', ['security_group', 'security_group_rule']);
}

/** A rule as a sentence. */
export function inWords(rule: Rule, groups: readonly Group[]): string {
  const ports = rule.port_range_min === null ? '' : rule.port_range_min === rule.port_range_max ? ` port ${rule.port_range_min}` : ` ports ${rule.port_range_min} to ${rule.port_range_max}`;
  const what = rule.protocol ? `${rule.protocol.toUpperCase()}${ports}` : 'Everything';
  const whom = rule.remote_group_id
    ? `members of ${groups.find((one) => one.id === rule.remote_group_id)?.name ?? rule.remote_group_id}`
    : rule.remote_ip_prefix ?? `anywhere (${rule.ethertype})`;
  return rule.direction === 'ingress' ? `${what} from ${whom}` : `${what} to ${whom}`;
}

/** Rules that most people look for, by the name of what they let in. */
export const USUAL: readonly { value: string; label: string; protocol: string | null; from?: number; to?: number }[] = [
  { value: 'ssh', label: 'SSH (22)', protocol: 'tcp', from: 22, to: 22 },
  { value: 'http', label: 'Web, HTTP (80)', protocol: 'tcp', from: 80, to: 80 },
  { value: 'https', label: 'Web, HTTPS (443)', protocol: 'tcp', from: 443, to: 443 },
  { value: 'smtp', label: 'Mail, SMTP (25)', protocol: 'tcp', from: 25, to: 25 },
  { value: 'submission', label: 'Mail, submission (587)', protocol: 'tcp', from: 587, to: 587 },
  { value: 'imaps', label: 'Mail, IMAPS (993)', protocol: 'tcp', from: 993, to: 993 },
  { value: 'dns', label: 'Name server (53, UDP)', protocol: 'udp', from: 53, to: 53 },
  { value: 'ping', label: 'Ping', protocol: 'icmp' },
  { value: 'tcp', label: 'Other TCP ports', protocol: 'tcp' },
  { value: 'udp', label: 'Other UDP ports', protocol: 'udp' },
  { value: 'all', label: 'Everything', protocol: null },
];

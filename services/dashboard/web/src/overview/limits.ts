// SPDX-License-Identifier: Apache-2.0
// What the project may use, and what it does.

import { call, offers, type Read, useRead } from '../wire';
import { useProject } from '../session/session';

export interface Limits {
  maxTotalInstances: number; totalInstancesUsed: number; maxTotalCores: number; totalCoresUsed: number; maxTotalRAMSize: number; totalRAMUsed: number;
}
export interface Quota { used: number; limit: number }

export function useLimits(): Read<Limits> {
  return useRead('limits', ['server', 'quota'], async () => (await call<{ limits: { absolute: Limits } }>('compute', '/limits')).limits.absolute);
}

export function useVolumeQuotas(): Read<Record<string, Quota>> {
  const project = useProject();
  return useRead(offers('volume') ? `volume quotas ${project}` : undefined, ['volume', 'volume_snapshot', 'quota'], async () => {
    const found = await call<{ quota_set: Record<string, { in_use: number; reserved: number; limit: number }> }>('volume', `/os-quota-sets/${project}?usage=True`);
    return Object.fromEntries(Object.entries(found.quota_set).filter(([, one]) => typeof one === 'object').map(([name, one]) => [name, { used: one.in_use + one.reserved, limit: one.limit }]));
  });
}

export function useNetworkQuotas(): Read<Record<string, Quota>> {
  const project = useProject();
  const kinds = ['network', 'subnet', 'port', 'router', 'floatingip', 'security_group', 'security_group_rule', 'quota'];
  return useRead(offers('network') ? `network quotas ${project}` : undefined, kinds, async () => {
    const found = await call<{ quota: Record<string, { used: number; reserved: number; limit: number }> }>('network', `/quotas/${project}/details`);
    return Object.fromEntries(Object.entries(found.quota).map(([name, one]) => [name, { used: one.used + one.reserved, limit: one.limit }]));
  });
}

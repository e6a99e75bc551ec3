// SPDX-License-Identifier: Apache-2.0
// Volumes and snapshots as the volume service shows them.

import { call, type Read, touch, useList, useOne } from '../wire';

export interface Volume {
  id: string;
  name: string | null;
  description: string | null;
  status: string;
  size: number;
  bootable: string;
  volume_type: string | null;
  snapshot_id: string | null;
  source_volid: string | null;
  created_at: string;
  attachments: { server_id: string; device: string; attachment_id: string }[];
  metadata: Record<string, string>;
}

export interface Snapshot { id: string; name: string | null; description: string | null; status: string; size: number; volume_id: string; created_at: string }
export interface VolumeType { id: string; name: string; description: string | null }

const VOLUMES = ['volume', 'attachment', 'volume_attachment', 'server'];
const SNAPSHOTS = ['volume_snapshot', 'snapshot', 'volume'];

export function useVolumes(): Read<Volume[]> {
  return useList<Volume>('volume', '/volumes/detail?limit=1000', 'volumes', VOLUMES);
}

export function useVolume(id: string): Read<Volume> {
  return useOne<Volume>('volume', `/volumes/${encodeURIComponent(id)}`, 'volume', VOLUMES);
}

export function useSnapshots(): Read<Snapshot[]> {
  return useList<Snapshot>('volume', '/snapshots/detail?limit=1000', 'snapshots', SNAPSHOTS);
}

export function useVolumeTypes(): Read<VolumeType[]> {
  return useList<VolumeType>('volume', '/types', 'volume_types', ['volume_type']);
}

export async function volumeAct(id: string, what: Record<string, unknown>): Promise<void> {
  await call('volume', `/volumes/${encodeURIComponent(id)}/action`, { method: 'POST', json: what });
  touch('volume', 'image');
}

export async function removeVolume(id: string): Promise<void> {
  await call('volume', `/volumes/${encodeURIComponent(id)}`, { method: 'DELETE' });
  touch('volume');
}

export async function removeSnapshot(id: string): Promise<void> {
  await call('volume', `/snapshots/${encodeURIComponent(id)}`, { method: 'DELETE' });
  touch('volume_snapshot');
}


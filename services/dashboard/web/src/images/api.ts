// SPDX-License-Identifier: Apache-2.0
// Images as the image service shows them.

import { call, type Read, touch, useList, useOne } from '../wire';

export interface Image {
  id: string;
  name: string | null;
  status: string;
  visibility: 'public' | 'private' | 'shared' | 'community';
  size: number | null;
  disk_format: string | null;
  min_disk: number;
  min_ram: number;
  owner: string;
  protected: boolean;
  created_at: string;
  os_hash_value?: string | null;
}

export function useImages(): Read<Image[]> {
  return useList<Image>('image', '/images?limit=1000', 'images', ['image']);
}

export function useImage(id: string): Read<Image> {
  return useOne<Image>('image', `/images/${encodeURIComponent(id)}`, '', ['image']);
}

export async function removeImage(id: string): Promise<void> {
  await call('image', `/images/${encodeURIComponent(id)}`, { method: 'DELETE' });
  touch('image');
}

export async function change(id: string, field: string, value: unknown): Promise<void> {
  await call('image', `/images/${encodeURIComponent(id)}`, {
    method: 'PATCH', json: [{ op: 'replace', path: `/${field}`, value }],
    headers: { 'Content-Type': 'application/openstack-images-v2.1-json-patch' },
  });
  touch('image');
}

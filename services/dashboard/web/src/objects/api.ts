// SPDX-License-Identifier: Apache-2.0
// Containers and objects as the object service shows them.

import { ask, call, part, type Read, touch, useRead } from '../wire';

export interface Container { name: string; count: number; bytes: number; last_modified?: string }
export interface Stored { name: string; bytes: number; hash: string; content_type: string; last_modified: string }
export interface Folder { subdir: string }
export interface About { public: boolean; key?: string }

const MOST = 10_000;

export function useContainers(): Read<Container[]> {
  return useRead('containers', ['object_container', 'container'], () => call<Container[]>('object', '?format=json').then((all) => all ?? []));
}

/** What is in a container under a prefix, folders as one line each. */
export function useObjects(container: string, prefix: string): Read<(Stored | Folder)[]> {
  return useRead(`objects ${part(container)} ${prefix}`, ['object', 'object_container', 'container'], async () => {
    const all: (Stored | Folder)[] = [];
    for (let marker = ''; all.length < MOST;) {
      const query = new URLSearchParams({ format: 'json', delimiter: '/', prefix, ...(marker && { marker }) });
      const page = await call<(Stored | Folder)[]>('object', `/${part(container)}?${query}`);
      if (!page || page.length === 0) break;
      all.push(...page);
      const last = page.at(-1)!;
      marker = 'subdir' in last ? last.subdir : last.name;
    }
    return all;
  });
}

export function useAbout(container: string): Read<About> {
  return useRead(`about ${part(container)}`, ['object_container', 'container'], async () => {
    const { headers } = await ask('object', `/${part(container)}`, { method: 'HEAD' });
    return { public: /(^|,)\s*\.r:\*/.test(headers.get('x-container-read') ?? '') };
  });
}

export function pathOf(container: string, name: string): string {
  return `/${part(container)}/${name.split('/').map(part).join('/')}`;
}

export async function makeContainer(name: string, open: boolean): Promise<void> {
  await ask('object', `/${part(name)}`, { method: 'PUT', headers: open ? { 'X-Container-Read': '.r:*,.rlistings' } : {} });
  touch('object_container');
}

export async function setPublic(container: string, open: boolean): Promise<void> {
  await ask('object', `/${part(container)}`, { method: 'POST', headers: { 'X-Container-Read': open ? '.r:*,.rlistings' : '' } });
  touch('object_container');
}

export async function removeContainer(name: string): Promise<void> {
  await ask('object', `/${part(name)}`, { method: 'DELETE' });
  touch('object_container');
}

export async function removeObject(container: string, name: string): Promise<void> {
  await ask('object', pathOf(container, name), { method: 'DELETE' });
  touch('object', 'object_container');
}

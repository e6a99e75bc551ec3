// SPDX-License-Identifier: Apache-2.0
// Lists and single things of a service, whole: pages are followed to their end.

import { type Read, useRead } from './cache';
import { call } from './call';
import { offers, type Service } from './roots';

/** More than anybody reads; a list that is longer is narrowed by its filter. */
const MOST = 20_000;

interface Link { rel: string; href: string }

export async function listOf<T>(service: Service, path: string, name: string): Promise<T[]> {
  const all: T[] = [];
  let next: string | undefined = path;
  while (next !== undefined && all.length < MOST) {
    const page: Record<string, unknown> = await call(service, next);
    all.push(...((page[name] as T[] | undefined) ?? []));
    next = nextOf(page, name, path);
  }
  return all;
}

/** Of the link only the question is taken: its address is the catalog's, and this page has its own way there. */
function nextOf(page: Record<string, unknown>, name: string, path: string): string | undefined {
  const links = page[`${name}_links`] as Link[] | undefined;
  const href = links?.find((link) => link.rel === 'next')?.href ?? (typeof page['next'] === 'string' ? page['next'] : undefined);
  if (!href) return undefined;
  return path.split('?')[0] + new URL(href, location.origin).search;
}

export function useList<T>(service: Service, path: string | undefined, name: string, kinds: readonly string[]): Read<T[]> {
  const key = path !== undefined && offers(service) ? `${service} ${path}` : undefined;
  return useRead(key, kinds, () => listOf<T>(service, path ?? '', name));
}

export function useOne<T>(service: Service, path: string | undefined, name: string, kinds: readonly string[]): Read<T> {
  const key = path !== undefined && offers(service) ? `${service} one ${path}` : undefined;
  return useRead(key, kinds, async () => {
    const answer = await call<Record<string, T>>(service, path ?? '');
    return (name ? answer[name] : answer) as T;
  });
}

// SPDX-License-Identifier: Apache-2.0
// Where each service answers, as the catalog of the session says it. The menus know no address of their own.

export type Service =
  | 'identity' | 'compute' | 'network' | 'image' | 'volume' | 'object' | 'balancer' | 'secret' | 'placement' | 'operator';

export interface CatalogEntry {
  type: string;
  name: string;
  endpoints: { interface: string; url: string; region?: string }[];
}

const TYPES: Record<string, Service> = {
  identity: 'identity', compute: 'compute', network: 'network', image: 'image', 'block-storage': 'volume', volumev3: 'volume',
  'object-store': 'object', 'load-balancer': 'balancer', 'key-manager': 'secret', placement: 'placement',
};

let roots = new Map<Service, string>();

/** The newest version of each API that the menus speak; older clouds are not met here, as the menus come with the binary. */
const VERSIONS: Partial<Record<Service, [string, string]>> = {
  compute: ['OpenStack-API-Version', 'compute 2.90'],
  volume: ['OpenStack-API-Version', 'volume 3.60'],
};

/** Root paths that lack their version in the catalog, as clients add it themselves. */
const SUFFIX: Partial<Record<Service, string>> = {
  identity: '/v3', network: '/v2.0', image: '/v2', balancer: '/v2.0', secret: '/v1',
};

export function learnCatalog(catalog: CatalogEntry[]): void {
  const found = new Map<Service, string>();
  // The operator's own API is no OpenStack service and stands in no catalog; it refuses whoever is not one.
  found.set('operator', '/operator/v1');
  found.set('identity', '/identity/v3');
  for (const entry of catalog) {
    const service = TYPES[entry.type];
    const url = entry.endpoints.find((one) => one.interface === 'public')?.url;
    if (!service || !url) continue;
    let path = new URL(url, location.origin).pathname.replace(/\/$/, '');
    const suffix = SUFFIX[service];
    if (suffix && !/\/v\d[^/]*$/.test(path)) path += suffix;
    found.set(service, path);
  }
  roots = found;
}

export function offers(service: Service): boolean {
  return roots.has(service);
}

export function rootOf(service: Service): string {
  return roots.get(service) ?? `/${service}`;
}

export function versionOf(service: Service): [string, string] | undefined {
  return VERSIONS[service];
}

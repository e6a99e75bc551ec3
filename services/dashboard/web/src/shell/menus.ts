// SPDX-License-Identifier: Apache-2.0
// What stands in the menu: what the catalog has, and what the roles of the session are for.

import type { Session } from '../session/session';
import { offers, type Service } from '../wire/roots';

interface Entry {
  name: string;
  to: string;
  needs?: Service;
  role?: string;
}

const MENUS: readonly { name: string; entries: readonly Entry[] }[] = [
  { name: '', entries: [{ name: 'Overview', to: '/' }] },
  {
    name: 'Machines',
    entries: [
      { name: 'Servers', to: '/servers', needs: 'compute' },
      { name: 'Images', to: '/images', needs: 'image' },
      { name: 'Key pairs', to: '/keypairs', needs: 'compute' },
    ],
  },
  {
    name: 'Storage',
    entries: [
      { name: 'Volumes', to: '/volumes', needs: 'volume' },
      { name: 'Snapshots', to: '/snapshots', needs: 'volume' },
      { name: 'Files', to: '/objects', needs: 'object' },
    ],
  },
  {
    name: 'Network',
    entries: [
      { name: 'Drawing', to: '/topology', needs: 'network' },
      { name: 'Networks', to: '/networks', needs: 'network' },
      { name: 'Routers', to: '/routers', needs: 'network' },
      { name: 'Ports', to: '/ports', needs: 'network' },
      { name: 'Security groups', to: '/security-groups', needs: 'network' },
      { name: 'Floating addresses', to: '/floating', needs: 'network' },
      { name: 'Load balancers', to: '/balancers', needs: 'balancer' },
    ],
  },
  { name: 'Organisation', entries: [{ name: 'People', to: '/people', role: 'manager' }] },
  {
    name: 'Operator',
    entries: [
      { name: 'Hosts', to: '/operator/hosts', role: 'admin' },
      { name: 'Projects', to: '/operator/projects', role: 'admin' },
      { name: 'Events', to: '/operator/events', role: 'admin' },
    ],
  },
];

export function menusFor(session: Session): { name: string; entries: Entry[] }[] {
  const shown = (entry: Entry) => (!entry.needs || offers(entry.needs)) && (!entry.role || session.has(entry.role));
  return MENUS.map(({ name, entries }) => ({ name, entries: entries.filter(shown) })).filter(({ entries }) => entries.length > 0);
}

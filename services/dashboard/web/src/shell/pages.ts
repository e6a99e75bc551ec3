// SPDX-License-Identifier: Apache-2.0
// All pages: where they are, and what is loaded for them when they are first gone to.

import { type ComponentType, lazy } from 'react';

import type { Found } from './router';

type PageOf = ComponentType<{ found: Found }>;
type Modules = Record<string, PageOf>;

function from(load: () => Promise<unknown>, name: string): PageOf {
  return lazy(async () => ({ default: ((await load()) as Modules)[name]! }));
}

const servers = () => import('../servers');
const images = () => import('../images');
const keypairs = () => import('../keypairs');
const volumes = () => import('../volumes');
const objects = () => import('../objects');
const networks = () => import('../networks');
const balancers = () => import('../balancers');
const people = () => import('../people');
const operator = () => import('../operator');

export const PAGES: readonly (readonly [string, PageOf])[] = [
  ['/', from(() => import('../overview'), 'Overview')],
  ['/servers', from(servers, 'Servers')],
  ['/servers/new', from(servers, 'Launch')],
  ['/servers/:id', from(servers, 'Server')],
  ['/servers/:id/console', from(servers, 'ConsolePage')],
  ['/console', from(servers, 'ConsoleOfUrl')],
  ['/images', from(images, 'Images')],
  ['/images/new', from(images, 'NewImage')],
  ['/images/:id', from(images, 'ImagePage')],
  ['/keypairs', from(keypairs, 'KeyPairs')],
  ['/keypairs/new', from(keypairs, 'NewKeyPair')],
  ['/volumes', from(volumes, 'Volumes')],
  ['/volumes/new', from(volumes, 'NewVolume')],
  ['/volumes/:id', from(volumes, 'VolumePage')],
  ['/snapshots', from(volumes, 'Snapshots')],
  ['/objects', from(objects, 'Containers')],
  ['/objects/new', from(objects, 'NewContainer')],
  ['/objects/:container/*', from(objects, 'ContainerPage')],
  ['/topology', from(networks, 'Topology')],
  ['/networks', from(networks, 'Networks')],
  ['/networks/new', from(networks, 'NewNetwork')],
  ['/networks/:id', from(networks, 'NetworkPage')],
  ['/routers', from(networks, 'Routers')],
  ['/routers/new', from(networks, 'NewRouter')],
  ['/routers/:id', from(networks, 'RouterPage')],
  ['/ports', from(networks, 'Ports')],
  ['/ports/new', from(networks, 'NewPort')],
  ['/ports/:id', from(networks, 'PortPage')],
  ['/security-groups', from(networks, 'SecurityGroups')],
  ['/security-groups/new', from(networks, 'NewSecurityGroup')],
  ['/security-groups/:id', from(networks, 'SecurityGroupPage')],
  ['/floating', from(networks, 'FloatingAddresses')],
  ['/floating/new', from(networks, 'NewFloatingAddress')],
  ['/balancers', from(balancers, 'Balancers')],
  ['/balancers/new', from(balancers, 'NewBalancer')],
  ['/balancers/:id', from(balancers, 'BalancerPage')],
  ['/people', from(people, 'People')],
  ['/people/new', from(people, 'NewPerson')],
  ['/operator/hosts', from(operator, 'Hosts')],
  ['/operator/projects', from(operator, 'Projects')],
  ['/operator/projects/new', from(operator, 'NewProject')],
  ['/operator/projects/:id', from(operator, 'ProjectQuotas')],
  ['/operator/events', from(operator, 'Events')],
];

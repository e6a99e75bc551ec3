// SPDX-License-Identifier: Apache-2.0
// One page to launch a server: a name and Enter are enough, for everything else has an answer already.

import { useState } from 'react';

import { useImages } from '../images/api';
import { useKeyPairs } from '../keypairs';
import { useNetworks, usePorts } from '../networks/api';
import { makeNetwork, FIRST_CIDR } from '../networks/first';
import { useGroups } from '../networks/groups/api';
import { announce, asked, Form, go, Link, mebibytes, named, Page } from '../parts';
import type { Question } from '../parts';
import { useProject } from '../session/session';
import { call, touch } from '../wire';
import { type Flavor, useFlavors } from './api';
import { bodyOf, type Plan, saidOf } from './plan';
import { Room, roomFor } from './room';
import { useLimits } from '../overview/limits';

export function Launch() {
  const images = useImages();
  const flavors = useFlavors();
  const networks = useNetworks();
  const keys = useKeyPairs();
  // The answers that are there already depend on what there is: the form comes when that is known.
  if (images.waiting || flavors.waiting || networks.waiting || keys.waiting) {
    return <Page title="Launch a server" under={['Servers', '/servers']}><p className="waiting" aria-busy="true">Reading…</p></Page>;
  }
  return <Page title="Launch a server" under={['Servers', '/servers']}><LaunchForm /></Page>;
}

function LaunchForm() {
  const project = useProject();
  const images = (useImages().value ?? []).filter((one) => one.status === 'active');
  const flavors = [...(useFlavors().value ?? [])].sort((a, b) => a.ram - b.ram || a.vcpus - b.vcpus);
  const networks = useNetworks().value ?? [];
  const inside = networks.filter((one) => !one['router:external'] && one.subnets.length > 0).sort((a, b) => Number(b.tenant_id === project) - Number(a.tenant_id === project));
  const outside = networks.filter((one) => one['router:external']);
  const ports = (usePorts().value ?? []).filter((one) => one.device_id === '' && one.tenant_id === project);
  const groups = useGroups().value ?? [];
  const keys = useKeyPairs().value ?? [];
  const limits = useLimits().value;
  const [image] = useState(() => images.find((one) => one.id === asked('image'))?.id ?? images.find((one) => /debian|ubuntu/i.test(one.name ?? ''))?.id ?? images[0]?.id ?? '');
  const [start] = useState<Plan>(() => ({
    name: '', image, flavor: usual(flavors, images.find((one) => one.id === image))?.id ?? '', network: inside[0] ? `net ${inside[0].id}` : 'first', address: '',
    key: keys[0]?.name ?? '', groups: [], disk: false, diskSize: '10', goes: false, userData: '', count: '1',
  }));
  const flavorOf = (plan: Plan) => flavors.find((one) => one.id === plan.flavor);

  const send = async (plan: Plan) => {
    let network = plan.network;
    if (network === 'first') network = `net ${(await makeNetwork('first', FIRST_CIDR, outside[0]?.id)).id}`;
    await call('compute', '/servers', { method: 'POST', json: { server: bodyOf({ ...plan, network }) } });
    touch('server');
    announce(`${plan.name} is being launched.`);
  };

  const questions: Question<Plan>[] = [
    { name: 'name', label: 'Name', required: true, help: 'Also its host name. Press Enter to launch it with what is chosen below.' },
    { name: 'image', label: 'Image', kind: 'select', required: true, choices: images.map((one) => ({ value: one.id, label: named(one.name, one.id) })), none: images.length === 0 ? 'There is none' : undefined },
    {
      name: 'flavor', label: 'Size', kind: 'select', required: true,
      choices: flavors.map((one) => ({ value: one.id, label: one.name, help: `${one.vcpus} × CPU, ${mebibytes(one.ram)}, ${one.disk} GB disk` })),
    },
    {
      name: 'network', label: 'Network', kind: 'select',
      choices: [
        ...inside.map((one) => ({ value: `net ${one.id}`, label: named(one.name, one.id), help: 'the next free address' })),
        ...ports.map((one) => ({ value: `port ${one.id}`, label: `Port ${named(one.name, one.id)}`, help: one.fixed_ips.map((ip) => ip.ip_address).join(', ') })),
        ...(inside.length === 0 ? [{ value: 'first', label: `A first network, made now (${FIRST_CIDR}${outside.length > 0 ? ', with a way to the outside' : ''})` }] : []),
        { value: 'none', label: 'None: nobody reaches it' },
      ],
    },
    {
      name: 'key', label: 'Key pair', kind: 'select', none: 'None', choices: keys.map((one) => ({ value: one.name, label: one.name })),
      help: keys.length === 0 ? <>Cloud images let in only who has a key. <Link to="/keypairs/new">Add a key pair</Link> first.</> : undefined,
    },
    {
      name: 'groups', label: 'Security groups', kind: 'several', choices: groups.map((one) => ({ value: one.id, label: one.name, help: one.description })), when: (plan) => plan.network.startsWith('net') || plan.network === 'first',
      help: 'Who may reach it, and by what. None ticked: the one called default.',
    },
    { name: 'address', label: 'Fixed address', more: true, when: (plan) => plan.network.startsWith('net'), help: 'Left empty: the next free one. To keep an address beyond this server, make a port with it first.' },
    { name: 'disk', label: 'Start from a volume', kind: 'switch', more: true, help: 'Its disk is a volume, which can outlive it.' },
    { name: 'diskSize', label: 'Size of the volume in GiB', kind: 'number', min: 1, more: true, when: (plan) => plan.disk },
    { name: 'goes', label: 'The volume goes with the server', kind: 'switch', more: true, when: (plan) => plan.disk },
    { name: 'userData', label: 'Instructions for the first start', kind: 'area', more: true, placeholder: '#cloud-config', help: 'User data, which cloud images carry out.' },
    { name: 'count', label: 'How many of it', kind: 'number', min: 1, max: 100, more: true },
  ];

  return (
    <Form<Plan>
      start={start} verb="Launch" questions={questions} send={send} onDone={() => go('/servers')} onCancel={() => go('/servers')}
      why={(plan) => {
        if (images.length === 0) return 'There is no image yet. Add one under Images first.';
        return roomFor(limits, flavorOf(plan), Number(plan.count) || 1);
      }}
      said={(plan) => saidOf(plan, { image: images.find((one) => one.id === plan.image)?.name ?? plan.image, flavor: flavorOf(plan)?.name ?? plan.flavor })}
    >
      {(plan) => <Room limits={limits} flavor={flavorOf(plan)} count={Number(plan.count) || 1} />}
    </Form>
  );
}

/** The smallest size in which the image fits and a usual system runs. */
function usual(flavors: readonly Flavor[], image: { min_disk: number; min_ram: number } | undefined): Flavor | undefined {
  const fits = flavors.filter((one) => one.disk >= (image?.min_disk ?? 0) && one.ram >= (image?.min_ram ?? 0));
  return fits.find((one) => one.ram >= 512) ?? fits[0] ?? flavors[0];
}

// SPDX-License-Identifier: Apache-2.0
// What can be done to a volume in which state, and what must be said before.

import { type Action, Confirm } from '../parts';
import { AskInDialog } from '../servers/wishes';
import { useServers } from '../servers/api';
import { call, touch } from '../wire';
import { removeVolume, type Volume, volumeAct } from './api';
import { named } from '../parts';

export type VolumeWish = 'rename' | 'extend' | 'snapshot' | 'image' | 'attach' | 'detach' | 'delete';

export function volumeActions(volume: Volume, wish: (what: VolumeWish) => void): Action[] {
  const free = volume.status === 'available';
  const held = volume.status === 'in-use';
  const notFree = held ? 'A server has it. Detach it first.' : `It is ${volume.status}.`;
  return [
    { label: 'Attach to a server', why: free ? undefined : notFree, run: () => wish('attach') },
    { label: 'Detach', why: held ? undefined : 'No server has it.', run: () => wish('detach') },
    { label: 'Rename', run: () => wish('rename') },
    { label: 'Make larger', why: free || held ? undefined : `It is ${volume.status}.`, run: () => wish('extend') },
    { label: 'Take a snapshot', why: free || held ? undefined : `It is ${volume.status}.`, run: () => wish('snapshot') },
    { label: 'Make an image of it', why: free ? undefined : notFree, run: () => wish('image') },
    {
      label: 'Delete', danger: true, run: () => wish('delete'),
      why: free || /error/.test(volume.status) ? undefined : notFree,
    },
  ];
}

export function VolumeWishDialog({ wish, volume, onClose, onGone }: { wish: VolumeWish; volume: Volume; onClose: () => void; onGone?: () => void }) {
  const name = named(volume.name, volume.id);
  const servers = useServers().value ?? [];
  const holder = volume.attachments[0]?.server_id;
  switch (wish) {
    case 'delete':
      return (
        <Confirm onClose={onClose} question={{
          verb: 'Delete', noun: 'volumes', names: [name], means: 'What is on it goes for good.', run: () => removeVolume(volume.id), done: onGone,
        }} />
      );
    case 'detach':
      return (
        <Confirm onClose={onClose} question={{
          verb: 'Detach', noun: 'volumes', names: [name], means: 'Its server loses this disk; what is on it stays. Unmount it in the machine first.',
          run: async () => {
            await call('compute', `/servers/${holder}/os-volume_attachments/${volume.id}`, { method: 'DELETE' });
            touch('volume', 'server');
          },
        }} />
      );
    case 'attach':
      return (
        <AskInDialog
          title={`Attach ${name} to a server`} verb="Attach" start={{ server: '' }} onClose={onClose}
          lead={servers.length === 0 ? 'There is no server yet. Launch one first.' : undefined}
          questions={[{
            name: 'server', label: 'Server', kind: 'select', required: true, none: 'Choose a server',
            choices: servers.map((server) => ({ value: server.id, label: server.name })),
          }]}
          send={async ({ server }) => {
            await call('compute', `/servers/${server}/os-volume_attachments`, { method: 'POST', json: { volumeAttachment: { volumeId: volume.id } } });
            touch('volume', 'server');
          }}
          command={({ server }) => ['openstack', 'server', 'add', 'volume', server || 'SERVER', volume.id]}
        />
      );
    case 'rename':
      return (
        <AskInDialog
          title={`Rename ${name}`} verb="Rename" start={{ name: volume.name ?? '' }} onClose={onClose}
          questions={[{ name: 'name', label: 'Name', required: true }]}
          send={async (values) => {
            await call('volume', `/volumes/${volume.id}`, { method: 'PUT', json: { volume: values } });
            touch('volume');
          }}
          command={(values) => ['openstack', 'volume', 'set', '--name', values.name, volume.id]}
        />
      );
    case 'extend':
      return (
        <AskInDialog
          title={`Make ${name} larger`} verb="Make larger" start={{ size: String(volume.size + 1) }} onClose={onClose}
          lead="A volume grows and never shrinks. Its filesystem is grown in the machine afterwards."
          questions={[{ name: 'size', label: 'Size in GiB', kind: 'number', required: true, min: volume.size + 1 }]}
          send={({ size }) => volumeAct(volume.id, { 'os-extend': { new_size: Number(size) } })}
          command={({ size }) => ['openstack', 'volume', 'set', '--size', size, volume.id]}
        />
      );
    case 'snapshot':
      return (
        <AskInDialog
          title={`Take a snapshot of ${name}`} verb="Take the snapshot" start={{ name: `${name} copy` }} onClose={onClose}
          lead="It keeps what is on the volume now. New volumes can be made of it."
          questions={[{ name: 'name', label: 'Name of the snapshot', required: true }]}
          send={async (values) => {
            await call('volume', '/snapshots', { method: 'POST', json: { snapshot: { name: values.name, volume_id: volume.id, force: true } } });
            touch('volume_snapshot', 'volume');
          }}
          command={(values) => ['openstack', 'volume', 'snapshot', 'create', '--volume', volume.id, values.name]}
        />
      );
    case 'image':
      return (
        <AskInDialog
          title={`Make an image of ${name}`} verb="Make the image" start={{ name, format: 'qcow2' }} onClose={onClose}
          questions={[
            { name: 'name', label: 'Name of the image', required: true },
            { name: 'format', label: 'Format', kind: 'select', choices: [{ value: 'qcow2', label: 'qcow2' }, { value: 'raw', label: 'raw' }] },
          ]}
          send={(values) => volumeAct(volume.id, { 'os-volume_upload_image': { image_name: values.name, disk_format: values.format, container_format: 'bare' } })}
          command={(values) => ['openstack', 'image', 'create', '--volume', volume.id, '--disk-format', values.format, values.name]}
        />
      );
  }
}

// SPDX-License-Identifier: Apache-2.0
// A volume is made: empty, of an image, of a snapshot, or of another volume.

import { useImages } from '../images/api';
import { asked, flag, Form, go, named, option, Page, Raw, resource } from '../parts';
import { call, touch } from '../wire';
import { useSnapshots, useVolumes, useVolumeTypes } from './api';

export function NewVolume() {
  const images = (useImages().value ?? []).filter((image) => image.status === 'active');
  const snapshots = useSnapshots().value ?? [];
  const volumes = useVolumes().value ?? [];
  const types = useVolumeTypes().value ?? [];
  const sources = [
    ...images.map((one) => ({ value: `image ${one.id}`, label: `Image ${named(one.name, one.id)}` })),
    ...snapshots.map((one) => ({ value: `snapshot ${one.id}`, label: `Snapshot ${named(one.name, one.id)}` })),
    ...volumes.map((one) => ({ value: `source ${one.id}`, label: `A copy of ${named(one.name, one.id)}` })),
  ];
  const start = { name: '', size: '10', source: asked('source') ?? '', type: '', description: '' };
  const split = (source: string) => source.split(' ') as [string, string?];
  return (
    <Page title="Make a volume" under={['Volumes', '/volumes']}>
      <Form
        start={start} verb="Make the volume" onDone={() => go('/volumes')} onCancel={() => go('/volumes')}
        questions={[
          { name: 'name', label: 'Name', required: true },
          { name: 'size', label: 'Size in GiB', kind: 'number', required: true, min: 1, help: 'It can be made larger later, never smaller.' },
          { name: 'source', label: 'What is on it', kind: 'select', none: 'Nothing: an empty disk', choices: sources },
          { name: 'type', label: 'Type', kind: 'select', none: 'The usual one', more: true, choices: types.map((one) => ({ value: one.name, label: one.name })) },
          { name: 'description', label: 'Description', more: true },
        ]}
        send={async (values) => {
          const [kind, id] = split(values.source);
          const from = { image: { imageRef: id }, snapshot: { snapshot_id: id }, source: { source_volid: id } }[kind] ?? {};
          const volume = {
            name: values.name, size: Number(values.size), ...from,
            ...(values.type && { volume_type: values.type }), ...(values.description && { description: values.description }),
          };
          await call('volume', '/volumes', { method: 'POST', json: { volume } });
          touch('volume');
        }}
        said={(values) => {
          const [kind, id] = split(values.source);
          return {
            commands: [[
              'openstack', 'volume', 'create', '--size', values.size, ...option(`--${kind || 'image'}`, id), ...option('--type', values.type),
              ...option('--description', values.description), ...flag('--bootable', false), values.name || 'NAME',
            ]],
            terraform: [resource('blockstorage_volume_v3', values.name || 'name', {
              name: values.name, size: new Raw(values.size || '1'), description: values.description, volume_type: values.type,
              image_id: kind === 'image' ? id : undefined, snapshot_id: kind === 'snapshot' ? id : undefined, source_vol_id: kind === 'source' ? id : undefined,
            })],
          };
        }}
      />
    </Page>
  );
}

// SPDX-License-Identifier: Apache-2.0
// One volume, and its snapshots.

import { useState } from 'react';

import { ago, Facts, go, Link, Menu, named, Page, Section, Shown, State, Table, when } from '../parts';
import { useServers } from '../servers/api';
import type { Found } from '../shell/router';
import { volumeActions, type VolumeWish, VolumeWishDialog } from './actions';
import { useSnapshots, useVolume } from './api';

export function VolumePage({ found }: { found: Found }) {
  const id = found['id']!;
  const volume = useVolume(id);
  const servers = useServers().value;
  const snapshots = useSnapshots().value?.filter((one) => one.volume_id === id) ?? [];
  const [wish, setWish] = useState<VolumeWish>();
  const row = volume.value;
  const name = row ? named(row.name, row.id) : 'Volume';
  return (
    <Page title={name} under={['Volumes', '/volumes']} actions={row && <Menu label={`Actions of ${name}`} text="Actions" actions={volumeActions(row, setWish)} />}>
      <Shown of={volume}>
        {(one) => (
          <>
            <Facts of={[
              ['State', <State key="" is={one.status} />],
              ['Size', `${one.size} GiB`],
              ['Attached to', one.attachments.length === 0 ? 'no server' : one.attachments.map((held) => (
                <Link key={held.server_id} to={`/servers/${held.server_id}`}>
                  {servers?.find((server) => server.id === held.server_id)?.name ?? held.server_id}{held.device ? ` as ${held.device}` : ''}
                </Link>
              ))],
              ['A server can start from it', one.bootable === 'true' ? 'yes' : 'no'],
              ['Type', one.volume_type],
              ['Description', one.description],
              ['Made', when(one.created_at)],
              ['Id', <code key="">{one.id}</code>],
            ]} />
            <Section title="Snapshots of it">
              <Table
                label="Snapshots of it" rows={snapshots} id={(one) => one.id} name={(one) => named(one.name, one.id)}
                empty={<p>None. “Take a snapshot” is among its actions.</p>}
                columns={[
                  { name: 'Name', text: (one) => named(one.name, one.id) },
                  { name: 'State', text: (one) => one.status, show: (one) => <State is={one.status} /> },
                  { name: 'Taken', text: (one) => one.created_at, show: (one) => ago(one.created_at) },
                ]}
                actions={(one) => [{ label: 'Make a volume of it', run: () => go(`/volumes/new?source=${encodeURIComponent(`snapshot ${one.id}`)}`) }]}
              />
            </Section>
          </>
        )}
      </Shown>
      {wish && row && <VolumeWishDialog wish={wish} volume={row} onClose={() => setWish(undefined)} onGone={() => go('/volumes')} />}
    </Page>
  );
}

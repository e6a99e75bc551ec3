// SPDX-License-Identifier: Apache-2.0
// All volumes, and all snapshots of the project.

import { useState } from 'react';

import { ago, ButtonLink, Confirm, type Destroying, Link, named, Page, Shown, State, Table } from '../parts';
import { useServers } from '../servers/api';
import { volumeActions, type VolumeWish, VolumeWishDialog } from './actions';
import { removeSnapshot, removeVolume, type Snapshot, useSnapshots, useVolumes, type Volume } from './api';

export function Volumes() {
  const volumes = useVolumes();
  const servers = useServers().value;
  const [wish, setWish] = useState<{ what: VolumeWish; volume: Volume }>();
  const [question, setQuestion] = useState<Destroying>();
  const holder = (row: Volume) => row.attachments.map((one) => servers?.find((server) => server.id === one.server_id)?.name ?? one.server_id).join(', ');
  return (
    <Page title="Volumes" lead="Disks that outlive the machines that they are attached to." actions={<ButtonLink to="/volumes/new">Make a volume</ButtonLink>}>
      <Shown of={volumes}>
        {(rows) => (
          <Table
            label="Volumes" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.id)}
            columns={[
              { name: 'Name', text: (row) => named(row.name, row.id), show: (row) => <Link to={`/volumes/${row.id}`}>{named(row.name, row.id)}</Link> },
              { name: 'State', text: (row) => row.status, show: (row) => <State is={row.status} /> },
              { name: 'Size', text: (row) => row.size, show: (row) => `${row.size} GiB` },
              { name: 'Attached to', text: holder, show: (row) => holder(row) || '–' },
              { name: 'Made', text: (row) => row.created_at, show: (row) => ago(row.created_at), extra: true },
            ]}
            actions={(row) => volumeActions(row, (what) => setWish({ what, volume: row }))}
            many={[{
              label: 'Delete', danger: true, run: (rows) => setQuestion({
                verb: 'Delete', noun: 'volumes', names: rows.map((row) => named(row.name, row.id)), means: 'What is on them goes for good.',
                run: (at) => removeVolume(rows[at]!.id),
              }),
            }]}
            empty={<><h2>No volume yet</h2><p>A volume is a disk of its own. What is on it stays when its machine is rebuilt or deleted.</p><ButtonLink to="/volumes/new">Make your first volume</ButtonLink></>}
          />
        )}
      </Shown>
      {wish && <VolumeWishDialog wish={wish.what} volume={wish.volume} onClose={() => setWish(undefined)} />}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function Snapshots() {
  const snapshots = useSnapshots();
  const volumes = useVolumes().value;
  const [question, setQuestion] = useState<Destroying>();
  const of = (row: Snapshot) => named(volumes?.find((one) => one.id === row.volume_id)?.name, row.volume_id);
  const destroy = (rows: Snapshot[]) => setQuestion({
    verb: 'Delete', noun: 'snapshots', names: rows.map((row) => named(row.name, row.id)), means: 'What was kept goes for good. The volume itself stays.',
    run: (at) => removeSnapshot(rows[at]!.id),
  });
  return (
    <Page title="Snapshots" lead="What was on a volume at some moment. They are taken from a volume's own actions.">
      <Shown of={snapshots}>
        {(rows) => (
          <Table
            label="Snapshots" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.id)}
            columns={[
              { name: 'Name', text: (row) => named(row.name, row.id) },
              { name: 'State', text: (row) => row.status, show: (row) => <State is={row.status} /> },
              { name: 'Size', text: (row) => row.size, show: (row) => `${row.size} GiB` },
              { name: 'Of volume', text: of, show: (row) => <Link to={`/volumes/${row.volume_id}`}>{of(row)}</Link> },
              { name: 'Taken', text: (row) => row.created_at, show: (row) => ago(row.created_at), extra: true },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: destroy }]}
            empty={<><h2>No snapshot yet</h2><p>Take one of a volume before you change what is on it: “Take a snapshot” is among a volume's actions.</p><ButtonLink to="/volumes" look="plain">Go to the volumes</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

// SPDX-License-Identifier: Apache-2.0
// What a server has of others: cards in networks, volumes.

import { useState } from 'react';

import { useFloating } from '../networks/floating/api';
import { useNetworks } from '../networks/api';
import { Confirm, type Destroying, Link, named, Section, Shown, State, Table } from '../parts';
import { useVolumes } from '../volumes/api';
import { call, touch, useList } from '../wire';
import type { Attachment, Interface, Server } from './api';

export function Cards({ server }: { server: Server }) {
  const cards = useList<Interface>('compute', `/servers/${server.id}/os-interface`, 'interfaceAttachments', ['server', 'port']);
  const networks = useNetworks().value;
  const floating = useFloating().value ?? [];
  const [question, setQuestion] = useState<Destroying>();
  const nameOf = (card: Interface) => networks?.find((one) => one.id === card.net_id)?.name ?? card.net_id;
  return (
    <Section title="Networks">
      <Shown of={cards}>
        {(rows) => (
          <Table
            label="Networks of the server" rows={rows} id={(row) => row.port_id} name={nameOf}
            empty={<p>It is in no network, and so nobody reaches it. “Attach to a network” is among its actions.</p>}
            columns={[
              { name: 'Network', text: nameOf, show: (row) => <Link to={`/networks/${row.net_id}`}>{nameOf(row)}</Link> },
              { name: 'Address', text: (row) => row.fixed_ips.map((ip) => ip.ip_address).join(', ') },
              { name: 'From outside', text: (row) => floating.filter((one) => one.port_id === row.port_id).map((one) => one.floating_ip_address).join(', ') || '–' },
              { name: 'State', text: (row) => row.port_state, show: (row) => <State is={row.port_state} /> },
              { name: 'Port', text: (row) => row.port_id, show: (row) => <Link to={`/ports/${row.port_id}`}>{row.mac_addr}</Link>, extra: true },
            ]}
            actions={(row) => [{
              label: 'Detach', danger: true,
              run: () => setQuestion({
                verb: 'Detach', noun: 'networks', names: [nameOf(row)], means: `${server.name} loses this card and its address.`,
                run: async () => {
                  await call('compute', `/servers/${server.id}/os-interface/${row.port_id}`, { method: 'DELETE' });
                  touch('server', 'port');
                },
              }),
            }]}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Section>
  );
}

export function Disks({ server }: { server: Server }) {
  const disks = useList<Attachment>('compute', `/servers/${server.id}/os-volume_attachments`, 'volumeAttachments', ['server', 'volume']);
  const volumes = useVolumes().value;
  const [question, setQuestion] = useState<Destroying>();
  const of = (row: Attachment) => volumes?.find((one) => one.id === row.volumeId);
  const nameOf = (row: Attachment) => named(of(row)?.name, row.volumeId);
  return (
    <Section title="Volumes">
      <Shown of={disks}>
        {(rows) => (
          <Table
            label="Volumes of the server" rows={rows} id={(row) => row.volumeId} name={nameOf}
            empty={<p>It has no volume. What shall outlive a rebuild belongs on one: “Attach a volume” is among its actions.</p>}
            columns={[
              { name: 'Volume', text: nameOf, show: (row) => <Link to={`/volumes/${row.volumeId}`}>{nameOf(row)}</Link> },
              { name: 'Size', text: (row) => of(row)?.size ?? 0, show: (row) => (of(row) ? `${of(row)!.size} GiB` : '') },
              { name: 'Device', text: (row) => row.device ?? '' },
              { name: 'When the server is deleted', text: (row) => (row.delete_on_termination ? 'goes with it' : 'stays'), extra: true },
            ]}
            actions={(row) => [{
              label: 'Detach', danger: true,
              run: () => setQuestion({
                verb: 'Detach', noun: 'volumes', names: [nameOf(row)], means: `${server.name} loses this disk; what is on it stays. Unmount it in the machine first.`,
                run: async () => {
                  await call('compute', `/servers/${server.id}/os-volume_attachments/${row.volumeId}`, { method: 'DELETE' });
                  touch('server', 'volume');
                },
              }),
            }]}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Section>
  );
}

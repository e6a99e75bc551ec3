// SPDX-License-Identifier: Apache-2.0
// One server: what it is, what it has, and what was done to it.

import { useState } from 'react';

import { useImages } from '../images/api';
import { ago, Facts, go, mebibytes, Menu, Page, Refused, Section, Shown, State, Table, when, ButtonLink } from '../parts';
import type { Found } from '../shell/router';
import { asRefusal, type Refusal, useList } from '../wire';
import { actionsOf, type Wish } from './actions';
import { addressesOf, doing, type InstanceAction, type Server as Row, useServer } from './api';
import { Cards, Disks } from './holdings';
import { Log } from './log';
import { WishDialog } from './wishes';

export function Server({ found }: { found: Found }) {
  const id = found['id']!;
  const server = useServer(id);
  const name = server.value?.name ?? 'Server';
  const [wish, setWish] = useState<Wish>();
  const [refusal, setRefusal] = useState<Refusal>();
  const refused = (error: unknown) => setRefusal(asRefusal(error));
  const row = server.value;

  return (
    <Page
      title={name} under={['Servers', '/servers']}
      actions={row && (
        <>
          <ButtonLink look="plain" to={`/servers/${id}/console`}>Open its console</ButtonLink>
          <Menu label={`Actions of ${name}`} text="Actions" actions={actionsOf(row, setWish, refused)} />
        </>
      )}
    >
      {refusal && <Refused refusal={refusal} grab />}
      <Shown of={server}>
        {(one) => (
          <>
            {one.fault && one.status === 'ERROR' && (
              <div className="refused" role="note"><p className="refused-cause"><strong>It failed.</strong> {one.fault.message}</p><p>Rebuild it, or delete it and launch another.</p></div>
            )}
            <What server={one} />
            <Cards server={one} />
            <Disks server={one} />
            <Log id={id} />
            <History id={id} />
          </>
        )}
      </Shown>
      {wish && row && <WishDialog wish={wish} server={row} onClose={() => setWish(undefined)} onGone={() => go('/servers')} />}
    </Page>
  );
}

function What({ server }: { server: Row }) {
  const images = useImages().value;
  const image = server.image === '' ? undefined : server.image.id;
  return (
    <Facts of={[
      ['State', <State key="" {...doing(server)} />],
      ['Addresses', addressesOf(server).join(', ') || 'none'],
      ['Size', `${server.flavor.original_name}: ${server.flavor.vcpus} × CPU, ${mebibytes(server.flavor.ram)}, ${server.flavor.disk} GB disk`],
      ['Image', image ? images?.find((one) => one.id === image)?.name ?? image : 'starts from a volume'],
      ['Key pair', server.key_name ?? 'none'],
      ['Security groups', [...new Set(server.security_groups?.map((one) => one.name))].join(', ')],
      ['Host', server['OS-EXT-SRV-ATTR:hypervisor_hostname']],
      ['Made', when(server.created)],
      ['Id', <code key="">{server.id}</code>],
    ]} />
  );
}

function History({ id }: { id: string }) {
  const actions = useList<InstanceAction>('compute', `/servers/${id}/os-instance-actions`, 'instanceActions', ['server']);
  return (
    <Section title="What was done">
      <Shown of={actions}>
        {(rows) => (
          <Table
            label="What was done" rows={rows} id={(row) => row.request_id} name={(row) => row.action} empty={<p>Nothing yet.</p>}
            columns={[
              { name: 'When', text: (row) => -Date.parse(row.start_time), show: (row) => <span title={when(row.start_time)}>{ago(row.start_time)}</span> },
              { name: 'What', text: (row) => row.action },
              { name: 'How it went', text: (row) => row.message ?? 'well' },
              { name: 'Request id', text: (row) => row.request_id, show: (row) => <code>{row.request_id}</code>, extra: true },
            ]}
          />
        )}
      </Shown>
    </Section>
  );
}

// SPDX-License-Identifier: Apache-2.0
// The pages of floating addresses.

import { useState } from 'react';

import { ButtonLink, Confirm, type Destroying, Form, go, Link, named, option, Page, resource, Shown, State, Table } from '../../parts';
import { useServers } from '../../servers/api';
import { AskInDialog } from '../../servers/wishes';
import { alter, make, remove, useNetworks, usePorts } from '../api';
import { type Floating, useFloating } from './api';

export function FloatingAddresses() {
  const floating = useFloating();
  const ports = usePorts().value ?? [];
  const servers = useServers().value ?? [];
  const [question, setQuestion] = useState<Destroying>();
  const [giving, setGiving] = useState<Floating>();
  const server = (row: Floating) => servers.find((one) => one.id === ports.find((port) => port.id === row.port_id)?.device_id);
  const destroy = (rows: Floating[]) => setQuestion({
    verb: 'Give back', noun: 'floating addresses', names: rows.map((row) => row.floating_ip_address), means: 'Somebody else may get it, and nobody reaches your machine under it any more.',
    run: (at) => remove('floatingips', rows[at]!.id),
  });
  return (
    <Page title="Floating addresses" lead="Addresses of the outside. They stay yours when a machine goes, and move to the next one." actions={<ButtonLink to="/floating/new">Take an address</ButtonLink>}>
      <Shown of={floating}>
        {(rows) => (
          <Table
            label="Floating addresses" rows={rows} id={(row) => row.id} name={(row) => row.floating_ip_address}
            columns={[
              { name: 'Address', text: (row) => row.floating_ip_address },
              { name: 'Given to', text: (row) => server(row)?.name ?? row.fixed_ip_address ?? '', show: (row) => (server(row) ? <Link to={`/servers/${server(row)!.id}`}>{server(row)!.name}</Link> : row.fixed_ip_address ?? 'nobody') },
              { name: 'State', text: (row) => row.status, show: (row) => (row.port_id ? <State is={row.status} /> : <State is="reserved" words="free" />) },
            ]}
            actions={(row) => [
              { label: 'Give to a machine', why: row.port_id ? 'A machine has it. Take it away first.' : undefined, run: () => setGiving(row) },
              {
                label: 'Take away from its machine', why: row.port_id ? undefined : 'No machine has it.',
                run: () => setQuestion({ verb: 'Take away', noun: 'addresses', names: [row.floating_ip_address], means: 'The machine is not reached under it any more. The address stays yours.', run: () => alter('floatingips', row.id, { port_id: null }) }),
              },
              { label: 'Give back', danger: true, run: () => destroy([row]) },
            ]}
            many={[{ label: 'Give back', danger: true, run: destroy }]}
            empty={<><h2>No floating address yet</h2><p>Take one to make a machine reachable from outside under an address that stays.</p><ButtonLink to="/floating/new">Take an address</ButtonLink></>}
          />
        )}
      </Shown>
      {giving && (
        <AskInDialog
          title={`Give ${giving.floating_ip_address} to a machine`} verb="Give" start={{ port: '' }} onClose={() => setGiving(undefined)}
          questions={[{
            name: 'port', label: 'Machine', kind: 'select', required: true, none: 'Choose one',
            choices: ports.filter((port) => port.device_owner.startsWith('compute:') || port.device_owner === '').map((port) => ({
              value: port.id, label: servers.find((one) => one.id === port.device_id)?.name ?? named(port.name, port.id), help: port.fixed_ips.map((ip) => ip.ip_address).join(', '),
            })),
          }]}
          send={({ port }) => alter('floatingips', giving.id, { port_id: port })}
          command={({ port }) => ['openstack', 'floating', 'ip', 'set', '--port', port || 'PORT', giving.floating_ip_address]}
        />
      )}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function NewFloatingAddress() {
  const outside = (useNetworks().value ?? []).filter((one) => one['router:external']);
  const choices = outside.map((one) => ({ value: one.id, label: named(one.name, one.id) }));
  return (
    <Page title="Take a floating address" under={['Floating addresses', '/floating']}>
      <Form
        key={choices[0]?.value ?? ''} start={{ network: choices[0]?.value ?? '', address: '', description: '' }} verb="Take it" onDone={() => go('/floating')} onCancel={() => go('/floating')}
        why={() => (choices.length === 0 ? 'The operator has made no network to the outside yet.' : undefined)}
        questions={[
          { name: 'network', label: 'Of which network', kind: 'select', required: true, choices },
          { name: 'address', label: 'A certain address', help: 'Left empty: any free one.' },
          { name: 'description', label: 'Description', more: true },
        ]}
        send={(values) => make('floatingips', { floating_network_id: values.network, ...(values.address && { floating_ip_address: values.address }), description: values.description })}
        said={(values) => ({
          commands: [['openstack', 'floating', 'ip', 'create', ...option('--floating-ip-address', values.address), ...option('--description', values.description), values.network || 'NETWORK']],
          terraform: [resource('networking_floatingip_v2', 'address', { pool: outside.find((one) => one.id === values.network)?.name, address: values.address })],
        })}
      />
    </Page>
  );
}

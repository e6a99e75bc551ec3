// SPDX-License-Identifier: Apache-2.0
// One load balancer: what it serves, and the servers behind it.

import { useState } from 'react';

import { bytes, Button, Confirm, count, type Destroying, Facts, go, named, Page, Section, Shown, State, Table, when, Dialog, Form } from '../parts';
import { addressesOf, useServers } from '../servers/api';
import type { Found } from '../shell/router';
import { addMember, type Balancer, type Member, type Pool, removeBalancer, removeMember, setWeight, useBalancers, useListeners, useMembers, usePools, useStats } from './api';

export function BalancerPage({ found }: { found: Found }) {
  const id = found['id']!;
  const balancers = useBalancers();
  const row = balancers.value?.find((one) => one.id === id);
  const pools = usePools().value?.filter((one) => one.loadbalancers.some((of) => of.id === id)) ?? [];
  const [question, setQuestion] = useState<Destroying>();
  const name = row ? named(row.name, row.id) : 'Load balancer';
  const destroy = () => setQuestion({
    verb: 'Delete', noun: 'load balancers', names: [name], means: 'Its address, and all that belongs to it, goes. The servers behind it stay.', run: () => removeBalancer(id), done: () => go('/balancers'),
  });
  return (
    <Page title={name} under={['Load balancers', '/balancers']} actions={row && <Button look="danger" onPress={destroy}>Delete it</Button>}>
      <Shown of={balancers}>
        {() => row && <What balancer={row} />}
      </Shown>
      {pools.map((pool) => <Members key={pool.id} pool={pool} />)}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

function What({ balancer }: { balancer: Balancer }) {
  const counted = useStats(balancer.id).value;
  // Not every provider counts; none of nothing is no figure.
  const stats = counted && counted.total_connections + counted.bytes_in > 0 ? counted : undefined;
  const listeners = useListeners().value?.filter((one) => one.loadbalancers.some((of) => of.id === balancer.id)) ?? [];
  return (
    <Facts of={[
      ['State', <State key="" is={balancer.provisioning_status === 'ACTIVE' ? balancer.operating_status : balancer.provisioning_status} />],
      ['Address', balancer.vip_address],
      ['Serves', listeners.map((one) => `${one.protocol} ${one.protocol_port}`).join(', ') || 'nothing yet'],
      ['Connections', stats && `${stats.active_connections} now, ${stats.total_connections} so far`],
      ['Carried', stats && `${bytes(stats.bytes_in)} in, ${bytes(stats.bytes_out)} out`],
      ['Made by', balancer.provider],
      ['Made', when(balancer.created_at)],
      ['Id', <code key="">{balancer.id}</code>],
    ]} />
  );
}

function Members({ pool }: { pool: Pool }) {
  const members = useMembers(pool.id);
  const [question, setQuestion] = useState<Destroying>();
  const [adding, setAdding] = useState(false);
  const destroy = (rows: Member[]) => setQuestion({
    verb: 'Take out', noun: 'members', names: rows.map((row) => named(row.name, row.address)), means: 'It gets no connections any more. Drain it first, if none that is open may break.', run: (at) => removeMember(pool.id, rows[at]!.id),
  });
  const drain = (rows: Member[]) => setQuestion({
    verb: 'Drain', noun: 'members', names: rows.map((row) => named(row.name, row.address)), means: 'It gets no new connections; those that are open go on until they end.', run: (at) => setWeight(pool.id, rows[at]!.id, 0),
  });
  return (
    <Section title={`Servers behind it (${pool.protocol})`} actions={<Button look="main" onPress={() => setAdding(true)}>Add servers</Button>}>
      <Shown of={members}>
        {(rows) => (
          <Table
            label="Members" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.address)} empty={<p>None yet: what comes is turned away. Add servers.</p>}
            columns={[
              { name: 'Name', text: (row) => named(row.name, row.address) },
              { name: 'Address', text: (row) => `${row.address}:${row.protocol_port}` },
              { name: 'State', text: (row) => row.operating_status, show: (row) => <State is={row.weight === 0 ? 'draining' : row.operating_status} /> },
              { name: 'Weight', text: (row) => row.weight, extra: true },
            ]}
            actions={(row) => [
              row.weight === 0
                ? { label: 'Let it serve again', run: () => void setWeight(pool.id, row.id, 1) }
                : { label: 'Drain', run: () => drain([row]) },
              { label: 'Take out', danger: true, run: () => destroy([row]) },
            ]}
            many={[{ label: 'Drain', run: drain }, { label: 'Take out', danger: true, run: destroy }]}
          />
        )}
      </Shown>
      {adding && <AddServers pool={pool} has={members.value ?? []} onClose={() => setAdding(false)} />}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Section>
  );
}

function AddServers({ pool, has, onClose }: { pool: Pool; has: Member[]; onClose: () => void }) {
  const servers = (useServers().value ?? []).filter((one) => addressesOf(one).length > 0 && !addressesOf(one).some((address) => has.some((member) => member.address === address)));
  const start = { which: [] as string[], port: String(has[0]?.protocol_port ?? 80) };
  const chosen = (ids: string[]) => servers.filter((one) => ids.includes(one.id));
  return (
    <Dialog title="Add servers" onClose={onClose}>
      <Form
        start={start} verb="Add them" onDone={onClose} onCancel={onClose}
        why={({ which }) => (servers.length === 0 ? 'All servers are behind it already.' : which.length === 0 ? 'Tick the servers first.' : undefined)}
        questions={[
          { name: 'which', label: `${count(servers.length, 'server')} can be added`, kind: 'several', choices: servers.map((one) => ({ value: one.id, label: one.name, help: addressesOf(one)[0] })) },
          { name: 'port', label: 'Port', kind: 'number', min: 1, max: 65535, required: true },
        ]}
        send={async ({ which, port }) => {
          for (const server of chosen(which)) await addMember(pool.id, server.name, addressesOf(server)[0]!, Number(port));
        }}
        said={({ which, port }) => ({
          commands: chosen(which).map((one) => ['openstack', 'loadbalancer', 'member', 'create', '--name', one.name, '--address', addressesOf(one)[0]!, '--protocol-port', port, pool.id]),
        })}
      />
    </Dialog>
  );
}

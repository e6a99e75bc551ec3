// SPDX-License-Identifier: Apache-2.0
// Routers: by them networks reach each other, and the outside.

import { useState } from 'react';

import { Button, ButtonLink, Confirm, type Destroying, Facts, Form, go, named, option, Page, resource, Section, Shown, State, Table, Link } from '../parts';
import { AskInDialog } from '../servers/wishes';
import type { Found } from '../shell/router';
import { alter, make, remove, routerCard, type Router, useNetworks, usePorts, useRouters, useSubnets } from './api';

function useOutside(): (row: Router) => string {
  const networks = useNetworks().value ?? [];
  return (row) => {
    const gate = row.external_gateway_info;
    if (!gate) return 'none';
    const name = networks.find((one) => one.id === gate.network_id)?.name ?? gate.network_id;
    return [`through ${name}`, ...gate.external_fixed_ips.map((ip) => ip.ip_address)].join(', ');
  };
}

export function Routers() {
  const routers = useRouters();
  const outside = useOutside();
  const [question, setQuestion] = useState<Destroying>();
  const destroy = (rows: Router[]) => setQuestion({
    verb: 'Delete', noun: 'routers', names: rows.map((row) => named(row.name, row.id)), means: 'Its networks must have been taken off it before.',
    run: (at) => remove('routers', rows[at]!.id),
  });
  return (
    <Page title="Routers" lead="By a router networks reach each other, and the outside." actions={<ButtonLink to="/routers/new">Make a router</ButtonLink>}>
      <Shown of={routers}>
        {(rows) => (
          <Table
            label="Routers" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.id)}
            columns={[
              { name: 'Name', text: (row) => named(row.name, row.id), show: (row) => <Link to={`/routers/${row.id}`}>{named(row.name, row.id)}</Link> },
              { name: 'State', text: (row) => row.status, show: (row) => <State is={row.status} /> },
              { name: 'Way to the outside', text: outside },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: destroy }]}
            empty={<><h2>No router yet</h2><p>A router lets the machines of a network reach the outside, and be reached by floating addresses.</p><ButtonLink to="/routers/new">Make your first router</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function NewRouter() {
  const outside = (useNetworks().value ?? []).filter((one) => one['router:external']);
  const subnets = useSubnets().value ?? [];
  const inside = subnets.filter((one) => !outside.some((network) => network.id === one.network_id));
  return (
    <Page title="Make a router" under={['Routers', '/routers']}>
      <Form
        start={{ name: '', outside: '', subnets: [] as string[] }} verb="Make the router" onDone={() => go('/routers')} onCancel={() => go('/routers')}
        questions={[
          { name: 'name', label: 'Name', required: true },
          { name: 'outside', label: 'Way to the outside', kind: 'select', none: 'None', choices: outside.map((one) => ({ value: one.id, label: named(one.name, one.id) })) },
          { name: 'subnets', label: 'Networks on it', kind: 'several', choices: inside.map((one) => ({ value: one.id, label: named(one.name, one.id), help: one.cidr })), when: () => inside.length > 0 },
        ]}
        send={async (values) => {
          const router = await make<Router>('routers', { name: values.name, ...(values.outside && { external_gateway_info: { network_id: values.outside } }) });
          for (const subnet of values.subnets) await routerCard(router.id, 'add', { subnet_id: subnet });
        }}
        said={(values) => {
          const name = values.name || 'NAME';
          return {
            commands: [['openstack', 'router', 'create', ...option('--external-gateway', values.outside), name], ...values.subnets.map((one) => ['openstack', 'router', 'add', 'subnet', name, one])],
            terraform: [resource('networking_router_v2', name, { name, external_network_id: values.outside || undefined })],
          };
        }}
      />
    </Page>
  );
}

export function RouterPage({ found }: { found: Found }) {
  const id = found['id']!;
  const routers = useRouters();
  const row = routers.value?.find((one) => one.id === id);
  const ports = usePorts(`device_id=${id}`);
  const subnets = useSubnets().value ?? [];
  const networks = useNetworks().value ?? [];
  const outside = useOutside();
  const [question, setQuestion] = useState<Destroying>();
  const [dialog, setDialog] = useState<'gate' | 'card'>();
  const name = row ? named(row.name, row.id) : 'Router';
  const subnetOf = (subnet: string) => subnets.find((one) => one.id === subnet);
  return (
    <Page title={name} under={['Routers', '/routers']} actions={row && <Button onPress={() => setDialog('gate')}>Change the way to the outside</Button>}>
      <Shown of={routers}>
        {() => row && <Facts of={[['State', <State key="" is={row.status} />], ['Way to the outside', outside(row)], ['Id', <code key="">{row.id}</code>]]} />}
      </Shown>
      <Section title="Networks on it" actions={<Button onPress={() => setDialog('card')}>Add a network</Button>}>
        <Shown of={ports}>
          {(rows) => (
            <Table
              label="Networks on it" rows={rows.filter((port) => port.device_owner !== 'network:router_gateway')} id={(port) => port.id}
              name={(port) => networks.find((one) => one.id === port.network_id)?.name ?? port.network_id} empty={<p>None yet. Add a network, so that its machines reach the others.</p>}
              columns={[
                { name: 'Network', text: (port) => networks.find((one) => one.id === port.network_id)?.name ?? port.network_id },
                { name: 'Range', text: (port) => port.fixed_ips.map((ip) => subnetOf(ip.subnet_id)?.cidr ?? '').join(', ') },
                { name: "The router's address", text: (port) => port.fixed_ips.map((ip) => ip.ip_address).join(', ') },
              ]}
              actions={(port) => [{
                label: 'Take off', danger: true, run: () => setQuestion({
                  verb: 'Take off', noun: 'networks', names: [networks.find((one) => one.id === port.network_id)?.name ?? port.network_id],
                  means: 'Its machines lose their way through this router. Floating addresses of them must have been taken away before.',
                  run: () => routerCard(id, 'remove', { port_id: port.id }),
                }),
              }]}
            />
          )}
        </Shown>
      </Section>
      {dialog === 'card' && (
        <AskInDialog
          title={`Add a network to ${name}`} verb="Add" start={{ subnet: '' }} onClose={() => setDialog(undefined)}
          questions={[{
            name: 'subnet', label: 'Network', kind: 'select', required: true, none: 'Choose one',
            choices: subnets.filter((one) => !networks.find((network) => network.id === one.network_id)?.['router:external']).map((one) => ({
              value: one.id, label: networks.find((network) => network.id === one.network_id)?.name ?? named(one.name, one.id), help: one.cidr,
            })),
          }]}
          send={({ subnet }) => routerCard(id, 'add', { subnet_id: subnet })}
          command={({ subnet }) => ['openstack', 'router', 'add', 'subnet', id, subnet || 'SUBNET']}
        />
      )}
      {dialog === 'gate' && row && (
        <AskInDialog
          title={`Way of ${name} to the outside`} verb="Change" start={{ network: row.external_gateway_info?.network_id ?? '' }} onClose={() => setDialog(undefined)}
          questions={[{
            name: 'network', label: 'Through', kind: 'select', none: 'None',
            choices: networks.filter((one) => one['router:external']).map((one) => ({ value: one.id, label: named(one.name, one.id) })),
          }]}
          send={({ network }) => alter('routers', id, { external_gateway_info: network ? { network_id: network } : null })}
          command={({ network }) => (network ? ['openstack', 'router', 'set', '--external-gateway', network, id] : ['openstack', 'router', 'unset', '--external-gateway', id])}
        />
      )}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

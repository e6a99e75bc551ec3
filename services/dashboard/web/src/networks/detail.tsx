// SPDX-License-Identifier: Apache-2.0
// One network: its subnets, and who is in it.

import { useState } from 'react';

import { Button, ButtonLink, Confirm, type Destroying, Facts, Link, named, Page, Section, Shown, State, Table } from '../parts';
import { AskInDialog } from '../servers/wishes';
import type { Found } from '../shell/router';
import { alter, holderOf, make, type Network, remove, useNetworks, usePorts, useSubnets } from './api';

export function NetworkPage({ found }: { found: Found }) {
  const id = found['id']!;
  const networks = useNetworks();
  const row = networks.value?.find((one) => one.id === id);
  const name = row ? named(row.name, row.id) : 'Network';
  const [adding, setAdding] = useState(false);
  return (
    <Page title={name} under={['Networks', '/networks']} actions={<ButtonLink to={`/ports/new?network=${id}`} look="plain">Make a port in it</ButtonLink>}>
      <Shown of={networks}>
        {() => row && (
          <>
            <Facts of={[
              ['State', <State key="" is={row.status} />],
              ['Reach', row['router:external'] ? 'a way to the outside' : row.shared ? 'all projects' : 'this project'],
              ['Anti-spoofing', row.port_security_enabled ? 'on for new ports' : 'off for new ports'],
              ['Largest packet', `${row.mtu} bytes`],
              ['Carried as', row['provider:network_type'] && `${row['provider:network_type']}${row['provider:segmentation_id'] ? ` ${row['provider:segmentation_id']}` : ''}${row['provider:physical_network'] ? ` on ${row['provider:physical_network']}` : ''}`],
              ['Id', <code key="">{row.id}</code>],
            ]} />
            <Subnets network={row} onAdd={() => setAdding(true)} />
            <Members id={id} />
          </>
        )}
      </Shown>
      {adding && row && <AddSubnet network={row} onClose={() => setAdding(false)} />}
    </Page>
  );
}

function Subnets({ network, onAdd }: { network: Network; onAdd: () => void }) {
  const subnets = useSubnets();
  const [question, setQuestion] = useState<Destroying>();
  return (
    <Section title="Subnets" actions={<><Button onPress={onAdd}>Add a subnet</Button><PortSecurity network={network} /></>}>
      <Shown of={subnets}>
        {(all) => (
          <Table
            label="Subnets" rows={all.filter((one) => one.network_id === network.id)} id={(one) => one.id} name={(one) => named(one.name, one.id)}
            empty={<p>None: its machines get no addresses. Add a subnet.</p>}
            columns={[
              { name: 'Name', text: (one) => named(one.name, one.id) },
              { name: 'Range', text: (one) => one.cidr },
              { name: 'Gateway', text: (one) => one.gateway_ip ?? 'none' },
              { name: 'Given out', text: (one) => one.allocation_pools.map((pool) => `${pool.start} – ${pool.end}`).join(', '), extra: true },
              { name: 'DHCP', text: (one) => (one.enable_dhcp ? 'on' : 'off'), extra: true },
            ]}
            actions={(one) => [{
              label: 'Delete', danger: true, run: () => setQuestion({
                verb: 'Delete', noun: 'subnets', names: [named(one.name, one.id)], means: 'No port may have an address of it any more.', run: () => remove('subnets', one.id),
              }),
            }]}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Section>
  );
}

function PortSecurity({ network }: { network: Network }) {
  const on = network.port_security_enabled;
  const [asking, setAsking] = useState(false);
  const flip = () => alter('networks', network.id, { port_security_enabled: !on });
  return (
    <>
      <Button onPress={() => (on ? setAsking(true) : void flip())}>{on ? 'Turn anti-spoofing off' : 'Turn anti-spoofing on'}</Button>
      {asking && (
        <Confirm onClose={() => setAsking(false)} question={{
          verb: 'Turn anti-spoofing off in', noun: 'networks', names: [named(network.name, network.id)], run: flip,
          means: 'Machines that get new ports in it may then use any address, and no security group holds for them. Ports that are there stay as they are.',
        }} />
      )}
    </>
  );
}

function Members({ id }: { id: string }) {
  const ports = usePorts(`network_id=${id}`);
  return (
    <Section title="Who is in it">
      <Shown of={ports}>
        {(rows) => (
          <Table
            label="Ports" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.id)} empty={<p>Nobody yet.</p>}
            columns={[
              { name: 'Address', text: (row) => row.fixed_ips.map((ip) => ip.ip_address).join(', ') || 'none', show: (row) => <Link to={`/ports/${row.id}`}>{row.fixed_ips.map((ip) => ip.ip_address).join(', ') || named(row.name, row.id)}</Link> },
              { name: 'Who', text: holderOf, show: (row) => (row.device_owner.startsWith('compute:') ? <Link to={`/servers/${row.device_id}`}>server</Link> : holderOf(row)) },
              { name: 'State', text: (row) => row.status, show: (row) => <State is={row.status} /> },
            ]}
          />
        )}
      </Shown>
    </Section>
  );
}

function AddSubnet({ network, onClose }: { network: Network; onClose: () => void }) {
  return (
    <AskInDialog
      title={`Add a subnet to ${named(network.name, network.id)}`} verb="Add the subnet" onClose={onClose}
      start={{ name: network.name, cidr: '10.0.1.0/24', gateway: '', from: '', to: '', dns: '', dhcp: true }}
      questions={[
        { name: 'name', label: 'Name' },
        { name: 'cidr', label: 'Range', required: true },
        { name: 'gateway', label: 'Gateway', help: 'Left empty: the first address of the range.' },
        { name: 'from', label: 'Give out addresses from', more: true },
        { name: 'to', label: 'to', more: true },
        { name: 'dns', label: 'Name servers', more: true },
        { name: 'dhcp', label: 'Give addresses to machines by DHCP', kind: 'switch', more: true },
      ]}
      send={(values) => make('subnets', {
        network_id: network.id, name: values.name, cidr: values.cidr, ip_version: values.cidr.includes(':') ? 6 : 4, enable_dhcp: values.dhcp,
        ...(values.gateway && { gateway_ip: values.gateway }), ...(values.from && values.to && { allocation_pools: [{ start: values.from, end: values.to }] }),
        ...(values.dns && { dns_nameservers: values.dns.split(/[\s,]+/).filter(Boolean) }),
      })}
      command={(values) => [
        'openstack', 'subnet', 'create', '--network', network.id, '--subnet-range', values.cidr, ...(values.gateway ? ['--gateway', values.gateway] : []),
        ...(values.from && values.to ? ['--allocation-pool', `start=${values.from},end=${values.to}`] : []), ...(values.dhcp ? [] : ['--no-dhcp']), values.name || 'NAME',
      ]}
    />
  );
}

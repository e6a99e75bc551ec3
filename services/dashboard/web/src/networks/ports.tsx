// SPDX-License-Identifier: Apache-2.0
// Ports: a place in a network, with addresses of its own, which a server or a router takes.

import { useState } from 'react';

import { asked, ButtonLink, Confirm, type Destroying, Form, go, Link, named, option, Page, resource, Shown, State, Table } from '../parts';
import { useProject } from '../session/session';
import { holderOf, make, type Port, remove, useNetworks, usePorts, useSubnets } from './api';
import { useGroups } from './groups/api';

export function Ports() {
  const ports = usePorts();
  const networks = useNetworks().value ?? [];
  const project = useProject();
  const [question, setQuestion] = useState<Destroying>();
  const netOf = (row: Port) => networks.find((one) => one.id === row.network_id)?.name ?? row.network_id;
  const nameOf = (row: Port) => named(row.name || row.fixed_ips[0]?.ip_address, row.id);
  const destroy = (rows: Port[]) => setQuestion({
    verb: 'Delete', noun: 'ports', names: rows.map(nameOf), means: 'Its addresses become free, and whoever has the port loses it.', run: (at) => remove('ports', rows[at]!.id),
  });
  const why = (row: Port) => (row.device_owner.startsWith('network:router') ? 'A router has it. Take the network off the router instead.' : undefined);
  return (
    <Page title="Ports" lead="Places in a network. Make one beforehand to give a server a certain address." actions={<ButtonLink to="/ports/new">Make a port</ButtonLink>}>
      <Shown of={ports}>
        {(rows) => (
          <Table
            label="Ports" rows={rows.filter((row) => row.tenant_id === project || row.tenant_id === '')} id={(row) => row.id} name={nameOf}
            columns={[
              { name: 'Name', text: nameOf, show: (row) => <Link to={`/ports/${row.id}`}>{nameOf(row)}</Link> },
              { name: 'Addresses', text: (row) => row.fixed_ips.map((ip) => ip.ip_address).join(', ') },
              { name: 'Network', text: netOf },
              { name: 'Who has it', text: holderOf },
              { name: 'Anti-spoofing', text: (row) => (row.port_security_enabled ? 'on' : 'off'), extra: true },
              { name: 'State', text: (row) => row.status, show: (row) => <State is={row.status} />, extra: true },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, why: why(row), run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: (all) => destroy(all.filter((row) => !why(row))) }]}
            empty={<><h2>No port yet</h2><p>Servers get ports by themselves. Make one when a server shall have a certain address, or keep its address when it is replaced.</p><ButtonLink to="/ports/new">Make a port</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function NewPort() {
  const networks = (useNetworks().value ?? []).filter((one) => one.subnets.length > 0);
  const subnets = useSubnets().value ?? [];
  const groups = useGroups().value ?? [];
  return (
    <Page title="Make a port" under={['Ports', '/ports']}>
      <Form
        start={{ name: '', network: asked('network') ?? '', address: '', mac: '', secure: true, groups: [] as string[] }} verb="Make the port" onDone={() => go('/ports')} onCancel={() => go('/ports')}
        questions={[
          { name: 'name', label: 'Name', required: true },
          {
            name: 'network', label: 'Network', kind: 'select', required: true, none: 'Choose a network',
            choices: networks.map((one) => ({ value: one.id, label: named(one.name, one.id), help: subnets.filter((subnet) => subnet.network_id === one.id).map((subnet) => subnet.cidr).join(', ') })),
          },
          { name: 'address', label: 'Fixed address', help: 'Left empty: the next free one. It stays with the port, whatever becomes of the server.' },
          { name: 'groups', label: 'Security groups', kind: 'several', when: (values) => values.secure, help: 'None ticked: the one called default.', choices: groups.map((one) => ({ value: one.id, label: one.name, help: one.description })) },
          { name: 'mac', label: 'Hardware address', more: true, placeholder: 'fa:16:3e:…' },
          { name: 'secure', label: 'Only its own addresses may be used by this machine', kind: 'switch', more: true, help: 'Anti-spoofing. Turned off, the machine may send as anybody, and no security group holds: for routers and VPNs of your own.' },
        ]}
        send={(values) => make<Port>('ports', {
          name: values.name, network_id: values.network, ...(values.address && { fixed_ips: [{ ip_address: values.address }] }), ...(values.mac && { mac_address: values.mac }),
          ...(values.secure ? values.groups.length > 0 && { security_groups: values.groups } : { port_security_enabled: false, security_groups: [] }),
        })}
        said={(values) => ({
          commands: [[
            'openstack', 'port', 'create', '--network', values.network || 'NETWORK', ...option('--fixed-ip', values.address && `ip-address=${values.address}`), ...option('--mac-address', values.mac),
            ...(values.secure ? values.groups.flatMap((one) => ['--security-group', one]) : ['--no-security-group', '--disable-port-security']), values.name || 'NAME',
          ]],
          terraform: [resource('networking_port_v2', values.name || 'name', {
            name: values.name, network_id: values.network, mac_address: values.mac, port_security_enabled: values.secure ? undefined : false,
            no_security_groups: values.secure ? undefined : true, security_group_ids: values.secure && values.groups.length > 0 ? values.groups : undefined,
          }, values.address ? [['fixed_ip', { subnet_id: subnets.find((one) => one.network_id === values.network)?.id, ip_address: values.address }]] : [])],
        })}
      />
    </Page>
  );
}

// SPDX-License-Identifier: Apache-2.0
// A network is made, with its addresses and its way to the outside in one go.

import { flag, Form, go, label, named, option, Page, Raw, resource } from '../parts';
import { useSession } from '../session/session';
import { make, type Network, useNetworks } from './api';
import { FIRST_CIDR, makeNetwork } from './first';

interface Values {
  name: string; cidr: string; outside: string; dns: string; provider: boolean; type: string; physical: string; segment: string; external: boolean; shared: boolean;
}

export function NewNetwork() {
  const admin = useSession().has('admin');
  const outside = (useNetworks().value ?? []).filter((one) => one['router:external']);
  const first = outside[0]?.id ?? '';
  const start: Values = { name: '', cidr: FIRST_CIDR, outside: 'first', dns: '', provider: false, type: 'flat', physical: '', segment: '', external: false, shared: false };
  const gateOf = (values: Values) => (values.provider ? '' : values.outside === 'first' ? first : values.outside);
  return (
    <Page title="Make a network" under={['Networks', '/networks']}>
      <Form<Values>
        start={start} verb="Make the network" onDone={() => go('/networks')} onCancel={() => go('/networks')}
        questions={[
          { name: 'name', label: 'Name', required: true },
          { name: 'cidr', label: 'Addresses', required: true, when: (values) => !values.provider, help: 'From which range its machines get theirs, as in 10.0.0.0/24 or fd00:1::/64.', wrong: ({ cidr }) => (/^[0-9a-fA-F:.]+\/\d+$/.test(cidr) ? undefined : 'Write it as an address, a slash and a number: 10.0.0.0/24.') },
          {
            name: 'outside', label: 'Way to the outside', kind: 'select', when: (values) => !values.provider, help: 'A router is made, by which its machines reach other networks.',
            choices: [...(first ? [{ value: 'first', label: `Through ${named(outside[0]!.name, first)}` }] : []), ...outside.slice(1).map((one) => ({ value: one.id, label: `Through ${named(one.name, one.id)}` })), { value: first ? '' : 'first', label: 'None' }],
          },
          { name: 'dns', label: 'Name servers', more: true, placeholder: '9.9.9.9, 149.112.112.112', when: (values) => !values.provider },
          ...(admin ? ([
            { name: 'provider', label: 'It is a network that exists outside this cloud', kind: 'switch', more: true, help: 'Such as the office LAN or a VLAN of it. Its subnet is added afterwards.' },
            { name: 'type', label: 'How it is carried', kind: 'select', more: true, when: (values: Values) => values.provider, choices: [{ value: 'flat', label: 'Untagged' }, { value: 'vlan', label: 'As a VLAN' }] },
            { name: 'physical', label: 'Name of the physical network', more: true, required: true, when: (values: Values) => values.provider, placeholder: 'external' },
            { name: 'segment', label: 'VLAN number', kind: 'number', more: true, min: 1, max: 4094, when: (values: Values) => values.provider && values.type === 'vlan' },
            { name: 'external', label: 'Routers may use it as their way to the outside', kind: 'switch', more: true, when: (values: Values) => values.provider },
            { name: 'shared', label: 'All projects may put machines into it', kind: 'switch', more: true, when: (values: Values) => values.provider },
          ] as const) : []),
        ]}
        send={async (values) => {
          if (!values.provider) return makeNetwork(values.name, values.cidr, gateOf(values) || undefined, list(values.dns));
          return make<Network>('networks', {
            name: values.name, shared: values.shared, 'router:external': values.external, 'provider:network_type': values.type,
            'provider:physical_network': values.physical, ...(values.type === 'vlan' && { 'provider:segmentation_id': Number(values.segment) }),
          });
        }}
        said={(values) => said(values, gateOf(values))}
      />
    </Page>
  );
}

function list(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

function said(values: Values, gate: string) {
  const name = values.name || 'NAME';
  const word = label(name);
  if (values.provider) {
    return {
      commands: [[
        'openstack', 'network', 'create', ...flag('--external', values.external), ...flag('--share', values.shared), '--provider-network-type', values.type,
        '--provider-physical-network', values.physical || 'PHYSICAL', ...(values.type === 'vlan' ? option('--provider-segment', values.segment) : []), name,
      ]],
      terraform: [resource('networking_network_v2', name, { name, external: values.external, shared: values.shared }, [
        ['segments', { network_type: values.type, physical_network: values.physical, segmentation_id: values.segment ? new Raw(values.segment) : undefined }],
      ])],
    };
  }
  const dns = list(values.dns);
  return {
    commands: [
      ['openstack', 'network', 'create', name],
      ['openstack', 'subnet', 'create', '--network', name, '--subnet-range', values.cidr, ...dns.flatMap((one) => ['--dns-nameserver', one]), name],
      ...(gate ? [['openstack', 'router', 'create', '--external-gateway', gate, name], ['openstack', 'router', 'add', 'subnet', name, name]] : []),
    ],
    terraform: [
      resource('networking_network_v2', name, { name }),
      resource('networking_subnet_v2', name, { name, network_id: new Raw(`openstack_networking_network_v2.${word}.id`), cidr: values.cidr, dns_nameservers: dns.length > 0 ? dns : undefined }),
      ...(gate ? [
        resource('networking_router_v2', name, { name, external_network_id: gate }),
        resource('networking_router_interface_v2', name, { router_id: new Raw(`openstack_networking_router_v2.${word}.id`), subnet_id: new Raw(`openstack_networking_subnet_v2.${word}.id`) }),
      ] : []),
    ],
  };
}

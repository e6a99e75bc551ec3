// SPDX-License-Identifier: Apache-2.0
// A load balancer is made whole: its address, what it serves, the servers behind it, and how they are watched.

import { useNetworks, useSubnets } from '../networks/api';
import { Form, go, label, option, Page, Raw, resource } from '../parts';
import { addressesOf, useServers } from '../servers/api';
import { makeBalancer, useProviders, type Wish } from './api';

const KINDS = [
  { value: 'TCP', label: 'Any, by TCP', help: 'web with encryption, mail, …' }, { value: 'HTTP', label: 'Web, HTTP' }, { value: 'UDP', label: 'UDP', help: 'name servers, …' },
];

export function NewBalancer() {
  const networks = useNetworks().value ?? [];
  const subnets = useSubnets();
  const providers = useProviders();
  const servers = useServers().value ?? [];
  const haproxy = providers.value?.some((one) => one.name === 'haproxy' || one.name === 'amphora') ?? false;
  const inside = (subnets.value ?? []).filter((one) => !networks.find((network) => network.id === one.network_id)?.['router:external']);
  const nameOf = (network: string) => networks.find((one) => one.id === network)?.name ?? network;
  const kinds = KINDS.map((kind) => (kind.value === 'HTTP' && !haproxy ? { ...kind, why: 'not in this cloud' } : kind));
  const ways = haproxy
    ? [{ value: 'ROUND_ROBIN', label: 'One after the other' }, { value: 'LEAST_CONNECTIONS', label: 'Who has the fewest connections' }, { value: 'SOURCE_IP', label: 'The same visitor to the same server' }]
    : [];
  // OVN shares out by the connection, and cannot do it another way.
  const plain = [{ value: 'SOURCE_IP_PORT', label: 'By the connection' }, { value: 'SOURCE_IP', label: 'The same visitor to the same server' }];
  const fits = (wish: Wish) => (wish.protocol === 'HTTP' ? ways : plain);
  const wayOf = (wish: Wish) => (fits(wish).some((way) => way.value === wish.algorithm) ? wish.algorithm : fits(wish)[0]!.value);
  const whole = (wish: Wish): Wish => ({
    ...wish, algorithm: wayOf(wish), memberPort: wish.memberPort || wish.port,
    provider: wish.protocol === 'HTTP' ? providers.value!.find((one) => one.name === 'haproxy' || one.name === 'amphora')!.name : providers.value?.some((one) => one.name === 'ovn') ? 'ovn' : '',
  });
  const addressOf = (name: string) => addressesOf(servers.find((one) => one.name === name)!)[0]!;

  if (subnets.waiting || providers.waiting) return <Page title="Make a load balancer" under={['Load balancers', '/balancers']}><p className="waiting">Reading…</p></Page>;
  const start: Wish = { name: '', provider: '', subnet: inside[0]?.id ?? '', address: '', protocol: 'TCP', port: '80', algorithm: '', memberPort: '', members: [], watch: true, path: '/' };
  return (
    <Page title="Make a load balancer" under={['Load balancers', '/balancers']}>
      <Form<Wish>
        start={start} verb="Make the load balancer" onDone={() => go('/balancers')} onCancel={() => go('/balancers')}
        why={() => (inside.length === 0 ? 'There is no network with addresses yet. Make one first.' : undefined)}
        questions={[
          { name: 'name', label: 'Name', required: true },
          { name: 'subnet', label: 'Network', kind: 'select', required: true, choices: inside.map((one) => ({ value: one.id, label: nameOf(one.network_id), help: one.cidr })) },
          { name: 'address', label: 'Address', help: 'Left empty: the next free one. It stays as long as the load balancer does.' },
          { name: 'protocol', label: 'What it serves', kind: 'select', choices: kinds },
          { name: 'port', label: 'On port', kind: 'number', min: 1, max: 65535, required: true },
          { name: 'members', label: 'Servers behind it', kind: 'several', when: () => servers.length > 0, help: 'More can be added at any time.', choices: servers.filter((one) => addressesOf(one).length > 0).map((one) => ({ value: one.name, label: one.name, help: addressesOf(one)[0] })) },
          { name: 'memberPort', label: 'Port of the servers', kind: 'number', min: 1, max: 65535, more: true, help: 'Left empty: the same.' },
          { name: 'algorithm', label: 'How it shares out', kind: 'select', more: true, none: 'The usual way', choices: [...plain, ...ways].filter((way, at, all) => all.findIndex((one) => one.value === way.value) === at) },
          { name: 'watch', label: 'Leave out servers that do not answer', kind: 'switch', more: true },
          { name: 'path', label: 'Page to ask for', more: true, when: (wish) => wish.watch && wish.protocol === 'HTTP' },
        ]}
        send={(wish) => makeBalancer(whole(wish), addressOf)}
        said={(given) => {
          const wish = given.protocol === 'HTTP' && !haproxy ? given : whole(given);
          const name = wish.name || 'NAME';
          const word = label(name);
          const id = (kind: string) => new Raw(`openstack_lb_${kind}_v2.${word}.id`);
          return {
            commands: [
              ['openstack', 'loadbalancer', 'create', '--name', name, '--vip-subnet-id', wish.subnet || 'SUBNET', ...option('--vip-address', wish.address), ...option('--provider', wish.provider)],
              ['openstack', 'loadbalancer', 'pool', 'create', '--name', name, '--loadbalancer', name, '--protocol', wish.protocol, '--lb-algorithm', wayOf(wish)],
              ['openstack', 'loadbalancer', 'listener', 'create', '--name', name, '--protocol', wish.protocol, '--protocol-port', wish.port, '--default-pool', name, name],
              ...(wish.watch ? [['openstack', 'loadbalancer', 'healthmonitor', 'create', '--type', wish.protocol === 'HTTP' ? 'HTTP' : 'TCP', '--delay', '5', '--timeout', '3', '--max-retries', '3', name]] : []),
              ...wish.members.map((one) => ['openstack', 'loadbalancer', 'member', 'create', '--name', one, '--address', addressOf(one), '--protocol-port', wish.memberPort, name]),
            ],
            terraform: [
              resource('lb_loadbalancer_v2', name, { name, vip_subnet_id: wish.subnet, vip_address: wish.address, loadbalancer_provider: wish.provider }),
              resource('lb_pool_v2', name, { name, loadbalancer_id: id('loadbalancer'), protocol: wish.protocol, lb_method: wayOf(wish) }),
              resource('lb_listener_v2', name, { name, loadbalancer_id: id('loadbalancer'), protocol: wish.protocol, protocol_port: new Raw(wish.port || '80'), default_pool_id: id('pool') }),
              ...wish.members.map((one) => resource('lb_member_v2', one, { name: one, pool_id: id('pool'), address: addressOf(one), protocol_port: new Raw(wish.memberPort || '80') })),
            ],
          };
        }}
      />
    </Page>
  );
}

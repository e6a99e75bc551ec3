// SPDX-License-Identifier: Apache-2.0
// Servers that were made for a while are put behind a load balancer, all at once.

import { addMember, useBalancers, usePools } from '../balancers/api';
import { count, Dialog, Form, named } from '../parts';
import { addressesOf, type Server } from './api';

export function Behind({ servers, onClose }: { servers: Server[]; onClose: () => void }) {
  const balancers = useBalancers().value ?? [];
  const pools = usePools().value ?? [];
  const nameOf = (id: string | undefined) => named(balancers.find((one) => one.id === id)?.name, id ?? '');
  const choices = pools.map((pool) => ({ value: pool.id, label: nameOf(pool.loadbalancers[0]?.id), help: pool.protocol }));
  return (
    <Dialog title={`Put ${count(servers.length, 'server')} behind a load balancer`} onClose={onClose}>
      <Form
        key={choices[0]?.value ?? ''} start={{ pool: choices[0]?.value ?? '', port: '80' }} verb="Put them behind it" onDone={onClose} onCancel={onClose}
        why={() => (choices.length === 0 ? 'There is no load balancer yet. Make one first.' : servers.some((one) => addressesOf(one).length === 0) ? 'One of them has no address yet.' : undefined)}
        questions={[
          { name: 'pool', label: 'Load balancer', kind: 'select', choices },
          { name: 'port', label: 'Port of the servers', kind: 'number', min: 1, max: 65535, required: true },
        ]}
        send={async ({ pool, port }) => {
          for (const server of servers) await addMember(pool, server.name, addressesOf(server)[0]!, Number(port));
        }}
        said={({ pool, port }) => ({
          commands: servers.map((one) => ['openstack', 'loadbalancer', 'member', 'create', '--name', one.name, '--address', addressesOf(one)[0] ?? 'ADDRESS', '--protocol-port', port, pool]),
        })}
      />
    </Dialog>
  );
}

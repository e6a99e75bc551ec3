// SPDX-License-Identifier: Apache-2.0
// One port, and what its machine may send: the switches against spoofing, in plain words.

import { useState } from 'react';

import { announce, Button, Confirm, Facts, Form, named, Page, Section, Shown, State, Link } from '../parts';
import type { Found } from '../shell/router';
import { alter, holderOf, type Port, useNetworks, usePorts } from './api';
import { useGroups } from './groups/api';

export function PortPage({ found }: { found: Found }) {
  const id = found['id']!;
  const ports = usePorts(`id=${id}`);
  const networks = useNetworks().value ?? [];
  const row = ports.value?.[0];
  return (
    <Page title={row ? named(row.name || row.fixed_ips[0]?.ip_address, row.id) : 'Port'} under={['Ports', '/ports']}>
      <Shown of={ports}>
        {() => row && (
          <>
            <Facts of={[
              ['State', <State key="" is={row.status} />],
              ['Addresses', row.fixed_ips.map((ip) => ip.ip_address).join(', ') || 'none'],
              ['Hardware address', <code key="">{row.mac_address}</code>],
              ['Network', <Link key="" to={`/networks/${row.network_id}`}>{networks.find((one) => one.id === row.network_id)?.name ?? row.network_id}</Link>],
              ['Who has it', row.device_owner.startsWith('compute:') ? <Link key="" to={`/servers/${row.device_id}`}>a server</Link> : holderOf(row)],
              ['Id', <code key="">{row.id}</code>],
            ]} />
            <Spoofing key={String(row.port_security_enabled)} port={row} />
            {row.port_security_enabled && <><Pairs port={row} /><Groups port={row} /></>}
          </>
        )}
      </Shown>
    </Page>
  );
}

function Spoofing({ port }: { port: Port }) {
  const [asking, setAsking] = useState(false);
  const on = port.port_security_enabled;
  return (
    <Section title="Anti-spoofing">
      <p className="note">
        {on
          ? 'Only its own addresses may be used by this machine. What it sends under another is dropped.'
          : 'This machine may send under any address, and no security group holds for it.'}
      </p>
      {on
        ? <Button look="danger" onPress={() => setAsking(true)}>Let it use any address</Button>
        : <Button look="main" onPress={() => void alter('ports', port.id, { port_security_enabled: true }).then(() => announce('Anti-spoofing is on.'))}>Only its own addresses</Button>}
      {asking && (
        <Confirm onClose={() => setAsking(false)} question={{
          verb: 'Turn anti-spoofing off for', noun: 'ports', names: [named(port.name || port.fixed_ips[0]?.ip_address, port.id)],
          means: 'Its machine may then send as anybody in this network, and its security groups are taken off. Routers, firewalls and VPNs of your own need this.',
          run: () => alter('ports', port.id, { security_groups: [], allowed_address_pairs: [], port_security_enabled: false }),
        }} />
      )}
    </Section>
  );
}

function Pairs({ port }: { port: Port }) {
  const now = port.allowed_address_pairs.map((pair) => (pair.mac_address && pair.mac_address !== port.mac_address ? `${pair.ip_address} ${pair.mac_address}` : pair.ip_address)).join('\n');
  const pairs = (text: string) => text.split('\n').map((line) => line.trim().split(/[\s,]+/)).filter(([ip]) => ip).map(([ip, mac]) => ({ ip_address: ip!, ...(mac && { mac_address: mac }) }));
  return (
    <Section title="Addresses that it may use besides">
      <Form
        key={now} start={{ pairs: now }} verb="Allow these" onDone={() => announce('The allowed addresses are changed.')}
        questions={[{ name: 'pairs', label: 'One a line', kind: 'area', rows: 3, placeholder: '192.168.42.200', help: 'An address that several machines share, such as of keepalived; or a range behind it. A hardware address may follow.' }]}
        send={({ pairs: text }) => alter('ports', port.id, { allowed_address_pairs: pairs(text) })}
        said={({ pairs: text }) => ({
          commands: [['openstack', 'port', 'set', ...(pairs(text).length === 0 ? ['--no-allowed-address'] : pairs(text).flatMap((pair) => ['--allowed-address', `ip-address=${pair.ip_address}${pair.mac_address ? `,mac-address=${pair.mac_address}` : ''}`])), port.id]],
        })}
      />
    </Section>
  );
}

function Groups({ port }: { port: Port }) {
  const groups = useGroups().value ?? [];
  return (
    <Section title="Security groups">
      <Form
        key={port.security_groups.join()} start={{ groups: port.security_groups }} verb="Use these" onDone={() => announce('The security groups are changed.')}
        questions={[{ name: 'groups', label: 'What it may be reached by', kind: 'several', choices: groups.map((one) => ({ value: one.id, label: one.name, help: one.description })) }]}
        send={(values) => alter('ports', port.id, { security_groups: values.groups })}
        said={(values) => ({ commands: [['openstack', 'port', 'set', '--no-security-group', ...values.groups.flatMap((one) => ['--security-group', one]), port.id]] })}
      />
    </Section>
  );
}

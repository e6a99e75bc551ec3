// SPDX-License-Identifier: Apache-2.0
// The pages of security groups.

import { useState } from 'react';

import { Button, ButtonLink, Confirm, count, type Destroying, Form, go, Link, Page, resource, Section, Shown, Table } from '../../parts';
import { AskInDialog } from '../../servers/wishes';
import type { Found } from '../../shell/router';
import { make, remove } from '../api';
import { type Group, inWords, USUAL, useGroups } from './api';

export function SecurityGroups() {
  const groups = useGroups();
  const [question, setQuestion] = useState<Destroying>();
  const destroy = (rows: Group[]) => setQuestion({
    verb: 'Delete', noun: 'security groups', names: rows.map((row) => row.name), means: 'No port may be in it any more.', run: (at) => remove('security-groups', rows[at]!.id),
  });
  const why = (row: Group) => (row.name === 'default' ? 'Every project has this one.' : undefined);
  return (
    <Page title="Security groups" lead="Who may reach your machines, and by what. What no rule lets in stays outside." actions={<ButtonLink to="/security-groups/new">Make a security group</ButtonLink>}>
      <Shown of={groups}>
        {(rows) => (
          <Table
            label="Security groups" rows={rows} id={(row) => row.id} name={(row) => row.name}
            columns={[
              { name: 'Name', text: (row) => row.name, show: (row) => <Link to={`/security-groups/${row.id}`}>{row.name}</Link> },
              { name: 'Lets in', text: (row) => letsIn(row, rows) || 'nothing' },
              { name: 'Description', text: (row) => row.description, extra: true },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, why: why(row), run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: (all) => destroy(all.filter((row) => !why(row))) }]}
            empty={<p>None yet.</p>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

/** IPv4 and IPv6 are rules of their own, and often say the same. */
function letsIn(group: Group, all: readonly Group[]): string {
  return [...new Set(group.security_group_rules.filter((rule) => rule.direction === 'ingress').map((rule) => inWords(rule, all)))].join('; ');
}

export function NewSecurityGroup() {
  const usual = USUAL.filter((one) => one.from !== undefined || one.value === 'ping');
  return (
    <Page title="Make a security group" under={['Security groups', '/security-groups']}>
      <Form
        start={{ name: '', description: '', lets: [] as string[] }} verb="Make the group" onDone={() => go('/security-groups')} onCancel={() => go('/security-groups')}
        questions={[
          { name: 'name', label: 'Name', required: true },
          { name: 'description', label: 'Description' },
          { name: 'lets', label: 'Lets in from anywhere', kind: 'several', choices: usual.map(({ value, label }) => ({ value, label })), help: 'More rules can be added afterwards.' },
        ]}
        send={async (values) => {
          const group = await make<Group>('security-groups', { name: values.name, description: values.description });
          for (const one of usual.filter(({ value }) => values.lets.includes(value))) {
            await make('security-group-rules', {
              security_group_id: group.id, direction: 'ingress', ethertype: 'IPv4', protocol: one.protocol,
              ...(one.from !== undefined && { port_range_min: one.from, port_range_max: one.to }),
            });
          }
        }}
        said={(values) => {
          const name = values.name || 'NAME';
          const lets = usual.filter(({ value }) => values.lets.includes(value));
          return {
            commands: [
              ['openstack', 'security', 'group', 'create', ...(values.description ? ['--description', values.description] : []), name],
              ...lets.map((one) => ['openstack', 'security', 'group', 'rule', 'create', '--protocol', one.protocol ?? 'any', ...(one.from === undefined ? [] : ['--dst-port', String(one.from)]), name]),
            ],
            terraform: [resource('networking_secgroup_v2', name, { name, description: values.description })],
          };
        }}
      />
    </Page>
  );
}

export function SecurityGroupPage({ found }: { found: Found }) {
  const groups = useGroups();
  const group = groups.value?.find((one) => one.id === found['id']);
  const [adding, setAdding] = useState(false);
  const [question, setQuestion] = useState<Destroying>();
  return (
    <Page title={group?.name ?? 'Security group'} under={['Security groups', '/security-groups']} lead={group?.description} actions={group && <Button look="main" onPress={() => setAdding(true)}>Add a rule</Button>}>
      <Shown of={groups}>
        {(all) => group && (
          <Section title={count(group.security_group_rules.length, 'rule')}>
            <Table
              label="Rules" rows={group.security_group_rules} id={(rule) => rule.id} name={(rule) => inWords(rule, all)}
              empty={<p>No rule: nothing comes in, and nothing goes out.</p>}
              columns={[
                { name: 'What', text: (rule) => inWords(rule, all) },
                { name: 'Way', text: (rule) => (rule.direction === 'ingress' ? 'in' : 'out') },
                { name: 'Addresses', text: (rule) => rule.ethertype },
              ]}
              actions={(rule) => [{
                label: 'Delete', danger: true, run: () => setQuestion({
                  verb: 'Delete', noun: 'rules', names: [inWords(rule, all)], means: 'From now on this is not let through, unless another rule does.', run: () => remove('security-group-rules', rule.id),
                }),
              }]}
            />
          </Section>
        )}
      </Shown>
      {adding && group && <AddRule group={group} all={groups.value ?? []} onClose={() => setAdding(false)} />}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

function AddRule({ group, all, onClose }: { group: Group; all: Group[]; onClose: () => void }) {
  const range = (values: { what: string; from: string; to: string }) => {
    const usual = USUAL.find((one) => one.value === values.what)!;
    if (usual.from !== undefined) return [usual.from, usual.to!] as const;
    if (!['tcp', 'udp'].includes(usual.value) || !values.from) return undefined;
    return [Number(values.from), Number(values.to || values.from)] as const;
  };
  const other = (values: { what: string }) => ['tcp', 'udp'].includes(values.what);
  return (
    <AskInDialog
      title={`Add a rule to ${group.name}`} verb="Add the rule" onClose={onClose} start={{ what: 'ssh', from: '', to: '', way: 'ingress', whom: 'anywhere', prefix: '', member: group.id, six: false }}
      questions={[
        { name: 'what', label: 'What', kind: 'select', choices: USUAL.map(({ value, label }) => ({ value, label })) },
        { name: 'from', label: 'First port', kind: 'number', min: 1, max: 65535, when: other, help: 'Left empty: all ports.' },
        { name: 'to', label: 'Last port', kind: 'number', min: 1, max: 65535, when: other },
        { name: 'way', label: 'Way', kind: 'select', choices: [{ value: 'ingress', label: 'Into the machines' }, { value: 'egress', label: 'Out of the machines' }] },
        { name: 'whom', label: 'From or to', kind: 'select', choices: [{ value: 'anywhere', label: 'Anywhere' }, { value: 'range', label: 'A range of addresses' }, { value: 'group', label: 'Members of a security group' }] },
        { name: 'prefix', label: 'Range', required: true, when: (values) => values.whom === 'range', placeholder: '203.0.113.0/24' },
        { name: 'member', label: 'Group', kind: 'select', when: (values) => values.whom === 'group', choices: all.map((one) => ({ value: one.id, label: one.name })) },
        { name: 'six', label: 'For IPv6', kind: 'switch', when: (values) => values.whom !== 'range' },
      ]}
      send={(values) => {
        const ports = range(values);
        return make('security-group-rules', {
          security_group_id: group.id, direction: values.way, ethertype: values.six || values.prefix.includes(':') ? 'IPv6' : 'IPv4',
          protocol: USUAL.find((one) => one.value === values.what)!.protocol, ...(ports && { port_range_min: ports[0], port_range_max: ports[1] }),
          ...(values.whom === 'range' && { remote_ip_prefix: values.prefix }), ...(values.whom === 'group' && { remote_group_id: values.member }),
        });
      }}
      command={(values) => {
        const ports = range(values);
        return [
          'openstack', 'security', 'group', 'rule', 'create', ...(values.way === 'egress' ? ['--egress'] : []), ...(values.six ? ['--ethertype', 'IPv6'] : []),
          '--protocol', USUAL.find((one) => one.value === values.what)!.protocol ?? 'any', ...(ports ? ['--dst-port', ports[0] === ports[1] ? String(ports[0]) : `${ports[0]}:${ports[1]}`] : []),
          ...(values.whom === 'range' ? ['--remote-ip', values.prefix || 'RANGE'] : []), ...(values.whom === 'group' ? ['--remote-group', values.member] : []), group.id,
        ];
      }}
    />
  );
}

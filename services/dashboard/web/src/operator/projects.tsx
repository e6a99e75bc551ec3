// SPDX-License-Identifier: Apache-2.0
// The projects of the cloud and what each may use, for its operator.

import { useState } from 'react';

import { announce, ButtonLink, Confirm, type Destroying, Form, go, Link, option, Page, type Question, resource, Section, Shown, State, Table } from '../parts';
import type { Found } from '../shell/router';
import { call, offers, part, type Service, touch, useList, useOne, useRead } from '../wire';

interface Project { id: string; name: string; enabled: boolean; description: string; domain_id: string }

export function Projects() {
  const projects = useList<Project>('identity', '/projects', 'projects', ['project']);
  const domains = useList<{ id: string; name: string }>('identity', '/domains', 'domains', ['domain']).value ?? [];
  const [question, setQuestion] = useState<Destroying>();
  const domainOf = (row: Project) => domains.find((one) => one.id === row.domain_id)?.name ?? row.domain_id;
  return (
    <Page title="Projects" lead="Each has its own things, people and quotas; none sees another's." actions={<ButtonLink to="/operator/projects/new">Make a project</ButtonLink>}>
      <Shown of={projects}>
        {(rows) => (
          <Table
            label="Projects" rows={rows} id={(row) => row.id} name={(row) => row.name} empty={<p>None yet.</p>}
            columns={[
              { name: 'Name', text: (row) => row.name, show: (row) => <Link to={`/operator/projects/${row.id}`}>{row.name}</Link> },
              { name: 'State', text: (row) => (row.enabled ? 'enabled' : 'disabled'), show: (row) => <State is={row.enabled ? 'enabled' : 'disabled'} /> },
              { name: 'Domain', text: domainOf },
              { name: 'Description', text: (row) => row.description, extra: true },
            ]}
            actions={(row) => [
              { label: 'Change its quotas', run: () => go(`/operator/projects/${row.id}`) },
              {
                label: 'Delete', danger: true, run: () => setQuestion({
                  verb: 'Delete', noun: 'projects', names: [row.name], means: 'Nobody works in it any more. Delete what it holds before: servers, volumes, networks, files.',
                  run: async () => {
                    await call('identity', `/projects/${part(row.id)}`, { method: 'DELETE' });
                    touch('project');
                  },
                }),
              },
            ]}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function NewProject() {
  const domains = useList<{ id: string; name: string }>('identity', '/domains', 'domains', ['domain']).value ?? [];
  return (
    <Page title="Make a project" under={['Projects', '/operator/projects']}>
      <Form
        start={{ name: '', description: '', domain: 'default' }} verb="Make the project" onDone={() => go('/operator/projects')} onCancel={() => go('/operator/projects')}
        questions={[
          { name: 'name', label: 'Name', required: true },
          { name: 'description', label: 'Description' },
          { name: 'domain', label: 'Domain', kind: 'select', choices: domains.map((one) => ({ value: one.id, label: one.name })), help: 'The organisation that it belongs to.' },
        ]}
        send={async ({ name, description, domain }) => {
          await call('identity', '/projects', { method: 'POST', json: { project: { name, description, domain_id: domain } } });
          touch('project');
        }}
        said={({ name, description, domain }) => ({
          commands: [['openstack', 'project', 'create', '--domain', domain, ...option('--description', description), name || 'NAME']],
          terraform: [resource('identity_project_v3', name || 'name', { name, description, domain_id: domain })],
        })}
      />
    </Page>
  );
}

interface Kind { service: Service; title: string; path: (id: string) => string; body: string; flag: Record<string, string>; fields: [string, string][] }

const QUOTAS: Kind[] = [
  {
    service: 'compute', title: 'Machines', path: (id) => `/os-quota-sets/${id}`, body: 'quota_set', flag: { instances: '--instances', cores: '--cores', ram: '--ram', key_pairs: '--key-pairs' },
    fields: [['instances', 'Servers'], ['cores', 'Processors'], ['ram', 'Memory in MiB'], ['key_pairs', 'Key pairs of a person']],
  },
  {
    service: 'volume', title: 'Storage', path: (id) => `/os-quota-sets/${id}`, body: 'quota_set', flag: { volumes: '--volumes', gigabytes: '--gigabytes', snapshots: '--snapshots' },
    fields: [['volumes', 'Volumes'], ['gigabytes', 'Space in GiB'], ['snapshots', 'Snapshots']],
  },
  {
    service: 'network', title: 'Network', path: (id) => `/quotas/${id}`, body: 'quota',
    flag: { network: '--networks', subnet: '--subnets', port: '--ports', router: '--routers', floatingip: '--floating-ips', security_group: '--secgroups', security_group_rule: '--secgroup-rules' },
    fields: [['network', 'Networks'], ['subnet', 'Subnets'], ['port', 'Ports'], ['router', 'Routers'], ['floatingip', 'Floating addresses'], ['security_group', 'Security groups'], ['security_group_rule', 'Rules of security groups']],
  },
];

export function ProjectQuotas({ found }: { found: Found }) {
  const id = found['id']!;
  const project = useOne<Project>('identity', `/projects/${part(id)}`, 'project', ['project']);
  return (
    <Page title={`Quotas of ${project.value?.name ?? 'a project'}`} under={['Projects', '/operator/projects']} lead="How much the project may use of each. −1 is without limit.">
      {QUOTAS.filter((kind) => offers(kind.service)).map((kind) => <QuotaForm key={kind.title} kind={kind} id={id} />)}
    </Page>
  );
}

function QuotaForm({ kind, id }: { kind: Kind; id: string }) {
  const read = useRead(`quota ${kind.service} ${id}`, ['quota'], async () => (await call<Record<string, Record<string, number>>>(kind.service, kind.path(part(id))))[kind.body]!);
  return (
    <Section title={kind.title}>
      <Shown of={read}>
        {(now) => {
          const start = Object.fromEntries(kind.fields.map(([name]) => [name, String(now[name] ?? '')])) as Record<string, string>;
          const changed = (values: Record<string, string>) => Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== start[name]).map(([name, value]) => [name, Number(value)]));
          return (
            <Form
              key={JSON.stringify(start)} start={start} verb={`Set the quotas of ${kind.title.toLowerCase()}`} onDone={() => announce('The quotas are set.')}
              questions={kind.fields.map(([name, label]): Question<Record<string, string>> => ({ name, label, kind: 'number', min: -1, required: true }))}
              why={(values) => (Object.keys(changed(values)).length === 0 ? 'Nothing is changed yet.' : undefined)}
              send={async (values) => {
                await call(kind.service, kind.path(part(id)), { method: 'PUT', json: { [kind.body]: changed(values) } });
                touch('quota');
              }}
              said={(values) => ({ commands: [['openstack', 'quota', 'set', ...Object.entries(changed(values)).flatMap(([name, value]) => [kind.flag[name] ?? `--${name}`, String(value)]), id]] })}
            />
          );
        }}
      </Shown>
    </Section>
  );
}

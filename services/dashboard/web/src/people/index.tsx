// SPDX-License-Identifier: Apache-2.0
// The people of the domain, for its managers: who there is, and in which project with what role.

import { useState } from 'react';

import { ButtonLink, Confirm, type Destroying, Form, go, option, Page, resource, Shown, State, Table } from '../parts';
import { useSession } from '../session/session';
import { AskInDialog } from '../servers/wishes';
import { call, part, touch, useList } from '../wire';

interface Person { id: string; name: string; enabled: boolean; email?: string; description?: string; domain_id: string }
interface Named { id: string; name: string }
interface Assignment { user?: { id: string; name?: string }; role: { id: string; name?: string }; scope: { project?: { id: string; name?: string } } }

const KINDS = ['user', 'assignment', 'role_assignment', 'project'];

function useDomain(): string {
  const { token } = useSession();
  return token.project?.domain.id ?? token.domain?.id ?? token.user.domain.id;
}

function useOfDomain() {
  const domain = useDomain();
  return {
    people: useList<Person>('identity', `/users?domain_id=${part(domain)}`, 'users', KINDS),
    projects: useList<Named>('identity', `/projects?domain_id=${part(domain)}`, 'projects', ['project']),
    roles: useList<Named>('identity', '/roles', 'roles', ['role']),
    assignments: useList<Assignment>('identity', '/role_assignments?include_names', 'role_assignments', KINDS),
  };
}

async function setEnabled(id: string, enabled: boolean): Promise<void> {
  await call('identity', `/users/${part(id)}`, { method: 'PATCH', json: { user: { enabled } } });
  touch('user');
}

async function grant(project: string, person: string, role: string, method: 'PUT' | 'DELETE'): Promise<void> {
  await call('identity', `/projects/${part(project)}/users/${part(person)}/roles/${part(role)}`, { method });
  touch('assignment');
}

export function People() {
  const { people, projects, roles, assignments } = useOfDomain();
  const self = useSession().token.user.id;
  const [question, setQuestion] = useState<Destroying>();
  const [dialog, setDialog] = useState<{ what: 'let' | 'take' | 'password'; person: Person }>();
  const where = (row: Person) => (assignments.value ?? []).filter((one) => one.user?.id === row.id && one.scope.project);
  const said = (row: Person) => where(row).map((one) => `${one.scope.project?.name ?? one.scope.project?.id}: ${one.role.name ?? one.role.id}`).join(', ');
  const destroy = (rows: Person[]) => setQuestion({
    verb: 'Delete', noun: 'people', names: rows.map((row) => row.name), means: 'They cannot sign in any more. What they made stays.',
    run: async (at) => {
      await call('identity', `/users/${part(rows[at]!.id)}`, { method: 'DELETE' });
      touch('user');
    },
  });
  return (
    <Page title="People" lead="Who may sign in, and in which projects they may do what." actions={<ButtonLink to="/people/new">Add a person</ButtonLink>}>
      <Shown of={people}>
        {(rows) => (
          <Table
            label="People" rows={rows} id={(row) => row.id} name={(row) => row.name} empty={<p>Nobody yet.</p>}
            columns={[
              { name: 'Name', text: (row) => row.name },
              { name: 'State', text: (row) => (row.enabled ? 'may sign in' : 'locked out'), show: (row) => <State is={row.enabled ? 'enabled' : 'disabled'} words={row.enabled ? 'may sign in' : 'locked out'} /> },
              { name: 'Projects', text: said, show: (row) => said(row) || 'none' },
              { name: 'E-mail', text: (row) => row.email ?? '', extra: true },
            ]}
            actions={(row) => [
              { label: 'Let into a project', run: () => setDialog({ what: 'let', person: row }) },
              { label: 'Take a role away', why: where(row).length === 0 ? 'There is none in a project.' : undefined, run: () => setDialog({ what: 'take', person: row }) },
              { label: 'Set a new password', run: () => setDialog({ what: 'password', person: row }) },
              row.enabled
                ? { label: 'Lock out', danger: true, why: row.id === self ? 'This is you.' : undefined, run: () => setQuestion({ verb: 'Lock out', noun: 'people', names: [row.name], means: 'Sessions end at once, and nobody signs in by this name until you let them.', run: () => setEnabled(row.id, false) }) }
                : { label: 'Let sign in again', run: () => void setEnabled(row.id, true) },
              { label: 'Delete', danger: true, why: row.id === self ? 'This is you.' : undefined, run: () => destroy([row]) },
            ]}
            many={[{ label: 'Delete', danger: true, run: (all) => destroy(all.filter((row) => row.id !== self)) }]}
          />
        )}
      </Shown>
      {dialog?.what === 'let' && (
        <AskInDialog
          title={`Let ${dialog.person.name} into a project`} verb="Let in" start={{ project: '', role: roles.value?.find((one) => one.name === 'member')?.id ?? '' }} onClose={() => setDialog(undefined)}
          questions={[
            { name: 'project', label: 'Project', kind: 'select', required: true, none: 'Choose one', choices: (projects.value ?? []).map((one) => ({ value: one.id, label: one.name })) },
            { name: 'role', label: 'As', kind: 'select', required: true, none: 'Choose a role', choices: (roles.value ?? []).map((one) => ({ value: one.id, label: one.name })), help: 'A member makes and deletes things, a reader only sees them.' },
          ]}
          send={({ project, role }) => grant(project, dialog.person.id, role, 'PUT')}
          command={({ project, role }) => ['openstack', 'role', 'add', '--user', dialog.person.id, '--project', project || 'PROJECT', role || 'ROLE']}
        />
      )}
      {dialog?.what === 'take' && (
        <AskInDialog
          title={`Take a role of ${dialog.person.name} away`} verb="Take away" start={{ which: '' }} onClose={() => setDialog(undefined)}
          questions={[{
            name: 'which', label: 'Role', kind: 'select', required: true, none: 'Choose one',
            choices: where(dialog.person).map((one) => ({ value: `${one.scope.project!.id} ${one.role.id}`, label: `${one.scope.project!.name ?? one.scope.project!.id}: ${one.role.name ?? one.role.id}` })),
          }]}
          send={({ which }) => grant(which.split(' ')[0]!, dialog.person.id, which.split(' ')[1]!, 'DELETE')}
          command={({ which }) => ['openstack', 'role', 'remove', '--user', dialog.person.id, '--project', which.split(' ')[0] || 'PROJECT', which.split(' ')[1] ?? 'ROLE']}
        />
      )}
      {dialog?.what === 'password' && (
        <AskInDialog
          title={`A new password for ${dialog.person.name}`} verb="Set the password" start={{ password: '' }} onClose={() => setDialog(undefined)}
          questions={[{ name: 'password', label: 'New password', kind: 'password', required: true, help: 'Sessions of this person end.' }]}
          send={({ password }) => call('identity', `/users/${part(dialog.person.id)}`, { method: 'PATCH', json: { user: { password } } })}
          command={() => ['openstack', 'user', 'set', '--password-prompt', dialog.person.id]}
        />
      )}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function NewPerson() {
  const domain = useDomain();
  const { projects, roles } = useOfDomain();
  const member = roles.value?.find((one) => one.name === 'member');
  return (
    <Page title="Add a person" under={['People', '/people']}>
      <Form
        start={{ name: '', password: '', email: '', project: '' }} verb="Add the person" onDone={() => go('/people')} onCancel={() => go('/people')}
        questions={[
          { name: 'name', label: 'User name', required: true },
          { name: 'password', label: 'First password', kind: 'password', required: true },
          { name: 'email', label: 'E-mail', kind: 'email' },
          { name: 'project', label: 'Member of', kind: 'select', none: 'No project yet', choices: (projects.value ?? []).map((one) => ({ value: one.id, label: one.name })) },
        ]}
        send={async ({ name, password, email, project }) => {
          const user = { name, password, domain_id: domain, ...(email && { email }), ...(project && { default_project_id: project }) };
          const made = await call<{ user: Named }>('identity', '/users', { method: 'POST', json: { user } });
          if (project && member) await grant(project, made.user.id, member.id, 'PUT');
          touch('user');
        }}
        said={({ name, email, project }) => ({
          commands: [
            ['openstack', 'user', 'create', '--domain', domain, '--password-prompt', ...option('--email', email), ...option('--project', project), name || 'NAME'],
            ...(project ? [['openstack', 'role', 'add', '--user', name || 'NAME', '--project', project, 'member']] : []),
          ],
          terraform: [resource('identity_user_v3', name || 'name', { name, domain_id: domain, default_project_id: project })],
        })}
      />
    </Page>
  );
}

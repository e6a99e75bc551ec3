// SPDX-License-Identifier: Apache-2.0
// All containers of the project: places for files.

import { useState } from 'react';

import { bytes, ButtonLink, Confirm, count, type Destroying, flag, Form, go, Link, Page, resource, Shown, Table } from '../parts';
import { part } from '../wire';
import { type Container, makeContainer, removeContainer, useContainers } from './api';

export function Containers() {
  const containers = useContainers();
  const [question, setQuestion] = useState<Destroying>();
  const destroy = (rows: Container[]) => setQuestion({
    verb: 'Delete', noun: 'containers', names: rows.map((row) => row.name), means: 'A container goes only when it is empty.', run: (at) => removeContainer(rows[at]!.name),
  });
  return (
    <Page title="Files" lead="Containers hold files of any size. A public one is reached by everybody who has its link." actions={<ButtonLink to="/objects/new">Make a container</ButtonLink>}>
      <Shown of={containers}>
        {(rows) => (
          <Table
            label="Containers" rows={rows} id={(row) => row.name} name={(row) => row.name}
            columns={[
              { name: 'Name', text: (row) => row.name, show: (row) => <Link to={`/objects/${part(row.name)}/`}>{row.name}</Link> },
              { name: 'Holds', text: (row) => row.count, show: (row) => count(row.count, 'file') },
              { name: 'Size', text: (row) => row.bytes, show: (row) => bytes(row.bytes) },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, why: row.count > 0 ? 'It still holds files. Delete them first.' : undefined, run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: destroy }]}
            empty={<><h2>No container yet</h2><p>Make one to keep files in, or to publish them under a link.</p><ButtonLink to="/objects/new">Make your first container</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function NewContainer() {
  return (
    <Page title="Make a container" under={['Files', '/objects']}>
      <Form
        start={{ name: '', open: false }} verb="Make the container" onDone={() => go('/objects')} onCancel={() => go('/objects')}
        questions={[
          { name: 'name', label: 'Name', required: true, wrong: ({ name }) => (name.includes('/') ? 'A name has no slash in it.' : undefined) },
          { name: 'open', label: 'Everybody may read what is in it', kind: 'switch', help: 'Each file then has a public link, for which nobody needs to sign in.' },
        ]}
        send={({ name, open }) => makeContainer(name, open)}
        said={({ name, open }) => ({
          commands: [['openstack', 'container', 'create', ...flag('--public', open), name || 'NAME']],
          terraform: [resource('objectstorage_container_v1', name || 'name', { name, container_read: open ? '.r:*,.rlistings' : undefined })],
        })}
      />
    </Page>
  );
}

// SPDX-License-Identifier: Apache-2.0
// All images that this project may use.

import { useState } from 'react';

import { ago, announce, bytes, ButtonLink, Confirm, type Destroying, go, Link, named, Page, Shown, State, Table } from '../parts';
import { useProject, useSession } from '../session/session';
import { asRefusal } from '../wire';
import { change, type Image, removeImage, useImages } from './api';

const WHOSE: Record<Image['visibility'], string> = { public: 'everybody', community: 'whoever knows it', shared: 'this project, and whom it is shared with', private: 'this project' };

export function Images() {
  const images = useImages();
  const project = useProject();
  const admin = useSession().has('admin');
  const [question, setQuestion] = useState<Destroying>();
  const destroy = (rows: Image[]) => setQuestion({
    verb: 'Delete', noun: 'images', names: rows.map((row) => named(row.name, row.id)),
    means: 'No server can be launched of it any more. Servers that were go on.', run: (at) => removeImage(rows[at]!.id),
  });
  const why = (row: Image) => {
    if (row.owner !== project && !admin) return 'It belongs to another project.';
    return row.protected ? 'It is protected. Take the protection off first.' : undefined;
  };
  return (
    <Page title="Images" lead="What servers are launched of: the disk of a system, as it is before its first start." actions={<ButtonLink to="/images/new">Add an image</ButtonLink>}>
      <Shown of={images}>
        {(rows) => (
          <Table
            label="Images" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.id)}
            columns={[
              { name: 'Name', text: (row) => named(row.name, row.id), show: (row) => <Link to={`/images/${row.id}`}>{named(row.name, row.id)}</Link> },
              { name: 'State', text: (row) => row.status, show: (row) => <State is={row.status} words={row.status === 'queued' ? 'without data' : undefined} /> },
              { name: 'Size', text: (row) => row.size ?? 0, show: (row) => (row.size === null ? '–' : bytes(row.size)) },
              { name: 'For', text: (row) => WHOSE[row.visibility] },
              { name: 'Added', text: (row) => row.created_at, show: (row) => ago(row.created_at), extra: true },
            ]}
            actions={(row) => [
              { label: 'Launch a server of it', why: row.status === 'active' ? undefined : 'It has no data yet.', run: () => go(`/servers/new?image=${row.id}`) },
              {
                label: row.protected ? 'Take the protection off' : 'Protect against deletion', why: row.owner === project || admin ? undefined : 'It belongs to another project.',
                run: () => void change(row.id, 'protected', !row.protected).catch((error: unknown) => announce(asRefusal(error).cause)),
              },
              { label: 'Delete', danger: true, why: why(row), run: () => destroy([row]) },
            ]}
            many={[{ label: 'Delete', danger: true, run: (all) => destroy(all.filter((row) => !why(row))) }]}
            empty={<><h2>No image yet</h2><p>Servers are launched of images. Makers of systems offer them for download as “cloud images”, usually as a .qcow2 file.</p><ButtonLink to="/images/new">Add your first image</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

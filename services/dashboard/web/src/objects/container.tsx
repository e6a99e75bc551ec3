// SPDX-License-Identifier: Apache-2.0
// What is in a container: files and folders, upload, download, public links.

import { useEffect, useRef, useState } from 'react';

import { ago, announce, AsText, Button, bytes, Confirm, count, type Destroying, Link, Page, Progress, Refused, Shown, Table } from '../parts';
import type { Found } from '../shell/router';
import { asRefusal, downloadOf, part, type Refusal, rootOf, send, touch } from '../wire';
import { type Folder, pathOf, removeObject, setPublic, type Stored, useAbout, useObjects } from './api';

type Row = Stored | Folder;

export function ContainerPage({ found }: { found: Found }) {
  const container = found['container']!;
  const prefix = found['*'] ?? '';
  const objects = useObjects(container, prefix);
  const about = useAbout(container);
  const [question, setQuestion] = useState<Destroying>();
  const [refusal, setRefusal] = useState<Refusal>();
  const upload = useUpload(container, prefix, setRefusal);
  const picker = useRef<HTMLInputElement>(null);
  const open = about.value?.public ?? false;

  const nameOf = (row: Row) => ('subdir' in row ? row.subdir : row.name).slice(prefix.length);
  const linkOf = (row: Stored) => `${location.origin}${rootOf('object')}${pathOf(container, row.name)}`;
  const files = (rows: Row[]) => rows.filter((row): row is Stored => !('subdir' in row));
  const destroy = (rows: Stored[]) => setQuestion({
    verb: 'Delete', noun: 'files', names: rows.map((row) => row.name), means: 'What is in it goes for good.', run: (at) => removeObject(container, rows[at]!.name),
  });
  const flip = () => {
    const change = () => setPublic(container, !open);
    if (open) return void change().then(() => announce('Only this project reads it now.')).catch((error: unknown) => setRefusal(asRefusal(error)));
    setQuestion({ verb: 'Publish', noun: 'containers', names: [container], means: 'Everybody who has a link may read what is in it, without signing in.', run: change });
  };

  const above = prefix.split('/').slice(0, -2).join('/');
  return (
    <Page
      title={prefix ? prefix.split('/').at(-2)! : container} lead={about.value && (open ? 'Public: everybody who has a link may read it.' : 'Only this project may read it.')}
      under={prefix ? [above ? above : container, `/objects/${part(container)}/${above ? `${above.split('/').map(part).join('/')}/` : ''}`] : ['Files', '/objects']}
      actions={(
        <>
          <Button look="main" onPress={() => picker.current?.click()}>Upload files</Button>
          <Button onPress={flip}>{open ? 'Make it private' : 'Publish it'}</Button>
          <input ref={picker} className="unseen" type="file" multiple aria-label="Files to upload" tabIndex={-1} onChange={(event) => void upload.start([...(event.target.files ?? [])])} />
        </>
      )}
    >
      {refusal && <Refused refusal={refusal} grab />}
      {upload.now && <><Progress label={`Upload of ${upload.now.name}`} share={upload.now.share} /><p className="quiet-text">{upload.now.name} <Button look="quiet" onPress={upload.stop}>Stop</Button></p></>}
      <Shown of={objects}>
        {(rows) => (
          <Table<Row>
            label="Files in it" rows={rows} id={(row) => ('subdir' in row ? row.subdir : row.name)} name={nameOf}
            columns={[
              {
                name: 'Name', text: nameOf,
                show: (row) => ('subdir' in row
                  ? <Link to={`/objects/${part(container)}/${row.subdir.split('/').map(part).join('/')}`}>{nameOf(row)}</Link>
                  : <a href={downloadOf('object', pathOf(container, row.name), nameOf(row))} download>{nameOf(row)}</a>),
              },
              { name: 'Size', text: (row) => ('subdir' in row ? -1 : row.bytes), show: (row) => ('subdir' in row ? 'folder' : bytes(row.bytes)) },
              { name: 'Changed', text: (row) => ('subdir' in row ? '' : row.last_modified), show: (row) => ('subdir' in row ? '' : ago(row.last_modified)), extra: true },
              { name: 'Kind', text: (row) => ('subdir' in row ? '' : row.content_type), extra: true },
            ]}
            actions={(row) => ('subdir' in row ? [] : [
              {
                label: 'Copy the public link', why: open ? undefined : 'The container is not public. Publish it first.',
                run: () => void navigator.clipboard.writeText(linkOf(row)).then(() => announce('The link is copied.')),
              },
              { label: 'Open the public link', why: open ? undefined : 'The container is not public. Publish it first.', run: () => void window.open(linkOf(row), '_blank', 'noopener') },
              { label: 'Delete', danger: true, run: () => destroy([row]) },
            ])}
            many={[{ label: 'Delete', danger: true, run: (all) => destroy(files(all)) }]}
            empty={<><h2>Nothing in it yet</h2><p>Upload files from this computer. They can be as large as you like.</p><Button look="main" onPress={() => picker.current?.click()}>Upload your first files</Button></>}
          />
        )}
      </Shown>
      <AsText said={{ commands: [['openstack', 'object', 'create', container, 'FILE'], ['openstack', 'object', 'list', container, ...(prefix ? ['--prefix', prefix] : [])]] }} />
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

/** One file after the other, so that each gets on, and what is refused is known by its name. */
function useUpload(container: string, prefix: string, refused: (refusal: Refusal) => void) {
  const [now, setNow] = useState<{ name: string; share: number }>();
  const halt = useRef<() => void>(undefined);
  useEffect(() => () => halt.current?.(), []);
  const start = async (files: File[]) => {
    for (const file of files) {
      setNow({ name: file.name, share: 0 });
      const headers = { 'Content-Type': file.type || 'application/octet-stream' };
      const sending = send('object', pathOf(container, prefix + file.name), file, headers, (share) => setNow({ name: file.name, share }));
      halt.current = sending.stop;
      try {
        await sending.done;
      } catch (error) {
        refused(asRefusal(error));
        break;
      } finally {
        setNow(undefined);
        touch('object', 'object_container');
      }
    }
    if (files.length > 0) announce(`${count(files.length, 'file')} sent.`);
  };
  return { now, start, stop: () => halt.current?.() };
}

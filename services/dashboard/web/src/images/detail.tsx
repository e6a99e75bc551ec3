// SPDX-License-Identifier: Apache-2.0
// One image.

import { ButtonLink, bytes, Facts, named, Page, Shown, State, when } from '../parts';
import type { Found } from '../shell/router';
import { downloadOf } from '../wire';
import { useImage } from './api';

export function ImagePage({ found }: { found: Found }) {
  const image = useImage(found['id']!);
  const row = image.value;
  const name = row ? named(row.name, row.id) : 'Image';
  return (
    <Page
      title={name} under={['Images', '/images']}
      actions={row?.status === 'active' && (
        <>
          <a className="button plain" href={downloadOf('image', `/images/${row.id}/file`, `${name}.${row.disk_format ?? 'img'}`)} download>Download</a>
          <ButtonLink to={`/servers/new?image=${row.id}`}>Launch a server of it</ButtonLink>
        </>
      )}
    >
      <Shown of={image}>
        {(one) => (
          <Facts of={[
            ['State', <State key="" is={one.status} words={one.status === 'queued' ? 'without data' : undefined} />],
            ['Size', one.size === null ? undefined : bytes(one.size)],
            ['Format', one.disk_format],
            ['Needs', `${one.min_disk} GB disk, ${one.min_ram} MiB memory`],
            ['Protected', one.protected ? 'yes' : 'no'],
            ['Added', when(one.created_at)],
            ['Checksum', one.os_hash_value ? <code key="">{one.os_hash_value}</code> : undefined],
            ['Id', <code key="">{one.id}</code>],
          ]} />
        )}
      </Shown>
    </Page>
  );
}

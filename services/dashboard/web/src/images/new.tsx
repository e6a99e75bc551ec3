// SPDX-License-Identifier: Apache-2.0
// An image is added: from a file of this computer, or from the web.

import { useRef, useState } from 'react';

import { Form, go, option, Page, Progress, Raw, resource } from '../parts';
import { useSession } from '../session/session';
import { call, send, touch } from '../wire';

const FORMATS = [
  { value: 'qcow2', label: 'qcow2', help: 'the usual one' }, { value: 'raw', label: 'raw' }, { value: 'vmdk', label: 'vmdk' }, { value: 'vhd', label: 'vhd' },
  { value: 'vdi', label: 'vdi' }, { value: 'iso', label: 'iso' },
];

interface Values { name: string; from: string; file: File | undefined; url: string; format: string; visibility: string; minDisk: string; minRam: string }

export function NewImage() {
  const admin = useSession().has('admin');
  const [share, setShare] = useState<number>();
  const stop = useRef<() => void>(undefined);
  const start: Values = { name: '', from: 'file', file: undefined, url: '', format: 'qcow2', visibility: 'private', minDisk: '0', minRam: '0' };

  const make = async (values: Values) => {
    const asked = {
      name: values.name, disk_format: values.format, container_format: 'bare', visibility: values.visibility,
      min_disk: Number(values.minDisk), min_ram: Number(values.minRam),
    };
    const image = await call<{ id: string }>('image', '/images', { method: 'POST', json: asked });
    touch('image');
    try {
      if (values.from === 'web') {
        await call('image', `/images/${image.id}/import`, { method: 'POST', json: { method: { name: 'web-download', uri: values.url } } });
      } else {
        const sending = send('image', `/images/${image.id}/file`, values.file!, { 'Content-Type': 'application/octet-stream' }, setShare);
        stop.current = sending.stop;
        await sending.done;
      }
    } catch (error) {
      // Without its data it is of no use, and would only lie about.
      await call('image', `/images/${image.id}`, { method: 'DELETE' }).catch(() => undefined);
      throw error;
    } finally {
      setShare(undefined);
      touch('image');
    }
  };

  return (
    <Page title="Add an image" under={['Images', '/images']}>
      <Form<Values>
        start={start} verb="Add the image" onDone={() => go('/images')}
        onCancel={() => {
          stop.current?.();
          go('/images');
        }}
        questions={[
          { name: 'name', label: 'Name', required: true, placeholder: 'Debian 12' },
          { name: 'from', label: 'Where it comes from', kind: 'select', choices: [{ value: 'file', label: 'A file of this computer' }, { value: 'web', label: 'An address on the web' }] },
          { name: 'file', label: 'File', kind: 'file', required: true, when: (values) => values.from === 'file' },
          { name: 'url', label: 'Address', required: true, when: (values) => values.from === 'web', placeholder: 'https://…/disk.qcow2' },
          { name: 'format', label: 'Format', kind: 'select', choices: FORMATS, help: 'What the file really is, is looked at as well.' },
          {
            name: 'visibility', label: 'Who may use it', kind: 'select',
            choices: [{ value: 'private', label: 'This project' }, { value: 'shared', label: 'This project, and whom it is shared with' },
              { value: 'public', label: 'Everybody', why: admin ? undefined : 'only the operator' }],
          },
          { name: 'minDisk', label: 'Least disk in GB', kind: 'number', min: 0, more: true },
          { name: 'minRam', label: 'Least memory in MiB', kind: 'number', min: 0, more: true },
        ]}
        send={make}
        said={(values) => ({
          commands: [[
            'openstack', 'image', 'create', '--disk-format', values.format, '--container-format', 'bare', ...(values.visibility === 'private' ? [] : [`--${values.visibility}`]),
            ...(values.from === 'file' ? option('--file', values.file?.name ?? 'FILE') : ['--import']), ...(values.minDisk === '0' ? [] : ['--min-disk', values.minDisk]),
            ...(values.minRam === '0' ? [] : ['--min-ram', values.minRam]), ...option('--uri', values.from === 'web' ? values.url || 'URL' : undefined), values.name || 'NAME',
          ]],
          terraform: [resource('images_image_v2', values.name || 'name', {
            name: values.name, container_format: 'bare', disk_format: values.format, visibility: values.visibility,
            local_file_path: values.from === 'file' ? values.file?.name ?? 'FILE' : undefined, image_source_url: values.from === 'web' ? values.url : undefined,
            web_download: values.from === 'web' ? new Raw('true') : undefined,
          })],
        })}
      >
        {() => share !== undefined && <Progress label="Upload" share={share} />}
      </Form>
    </Page>
  );
}

// SPDX-License-Identifier: Apache-2.0
// What must be said before a server is changed: of which image it is rebuilt, how large it shall be, which volume it gets.

import { useImages } from '../images/api';
import { useNetworks, usePorts } from '../networks/api';
import { giveFloating, useFloating } from '../networks/floating/api';
import { Confirm, Dialog, Form, mebibytes, named, option, type Question } from '../parts';
import { call, touch } from '../wire';
import { useVolumes } from '../volumes/api';
import { act, remove, type Server, useFlavors } from './api';
import type { Wish } from './actions';

interface WishProps { server: Server; onClose: () => void; onGone?: () => void }

export function WishDialog({ wish, ...props }: WishProps & { wish: Wish }) {
  const { server, onClose, onGone } = props;
  switch (wish) {
    case 'delete':
      return (
        <Confirm onClose={onClose} question={{
          verb: 'Delete', noun: 'servers', names: [server.name], run: () => remove(server.id), done: onGone,
          means: 'The machine and its own disk go for good. Volumes stay, unless they were made to go with it.',
        }} />
      );
    case 'rename': return <Rename {...props} />;
    case 'rebuild': return <Rebuild {...props} />;
    case 'rescue': return <Rescue {...props} />;
    case 'resize': return <Resize {...props} />;
    case 'snapshot': return <Snapshot {...props} />;
    case 'volume': return <AttachVolume {...props} />;
    case 'interface': return <AttachInterface {...props} />;
    case 'floating': return <GiveFloating {...props} />;
  }
}

interface AskProps<V> {
  title: string; lead?: string; questions: readonly Question<V>[]; start: V; verb: string; onClose: () => void;
  send: (values: V) => Promise<unknown>; command: (values: V) => string[]; why?: (values: V) => string | undefined;
}

/** A short form in a dialog, with its command below. */
export function AskInDialog<V extends Record<string, string | boolean>>(props: AskProps<V>) {
  const { title, lead, command, onClose, ...form } = props;
  return (
    <Dialog title={title} onClose={onClose}>
      {lead && <p>{lead}</p>}
      <Form {...form} onDone={onClose} onCancel={onClose} said={(values) => ({ commands: [command(values)] })} />
    </Dialog>
  );
}

function Rename({ server, onClose }: WishProps) {
  return (
    <AskInDialog
      title={`Rename ${server.name}`} verb="Rename" start={{ name: server.name }} onClose={onClose}
      questions={[{ name: 'name', label: 'Name', required: true }]}
      send={async ({ name }) => {
        await call('compute', `/servers/${server.id}`, { method: 'PUT', json: { server: { name } } });
        touch('server');
      }}
      command={({ name }) => ['openstack', 'server', 'set', '--name', name, server.id]}
    />
  );
}

function Rebuild({ server, onClose }: WishProps) {
  const images = useImages().value ?? [];
  const now = server.image === '' ? '' : server.image.id;
  return (
    <AskInDialog
      title={`Rebuild ${server.name}`} verb={`Rebuild ${server.name}`} start={{ image: now }} onClose={onClose}
      lead="Its own disk is made anew from an image, and what is on it goes. Addresses, volumes and name stay."
      questions={[{
        name: 'image', label: 'Image', kind: 'select', required: true, none: 'Choose an image',
        choices: images.filter((image) => image.status === 'active').map((image) => ({ value: image.id, label: named(image.name, image.id) })),
      }]}
      send={({ image }) => act(server.id, { rebuild: { imageRef: image } })}
      command={({ image }) => ['openstack', 'server', 'rebuild', ...option('--image', image), server.id]}
    />
  );
}

function Rescue({ server, onClose }: WishProps) {
  const images = useImages().value ?? [];
  return (
    <AskInDialog
      title={`Rescue ${server.name}`} verb={`Rescue ${server.name}`} start={{ image: '' }} onClose={onClose}
      lead="It starts from another disk, with its own beside it, so that you can repair what keeps it from starting."
      questions={[{
        name: 'image', label: 'Image to start from', kind: 'select', none: 'The image it was made of',
        choices: images.map((image) => ({ value: image.id, label: named(image.name, image.id) })),
      }]}
      send={({ image }) => act(server.id, { rescue: image ? { rescue_image_ref: image } : {} })}
      command={({ image }) => ['openstack', 'server', 'rescue', ...option('--image', image), server.id]}
    />
  );
}

function Resize({ server, onClose }: WishProps) {
  const flavors = useFlavors().value ?? [];
  return (
    <AskInDialog
      title={`Resize ${server.name}`} verb="Resize" start={{ flavor: '' }} onClose={onClose}
      lead={`Now it is ${server.flavor.original_name}. It is stopped for a moment; afterwards you confirm the new size, or go back.`}
      questions={[{
        name: 'flavor', label: 'New size', kind: 'select', required: true, none: 'Choose a size',
        choices: flavors.filter((flavor) => flavor.name !== server.flavor.original_name).map((flavor) => ({
          value: flavor.id, label: flavor.name, help: `${flavor.vcpus} CPUs, ${mebibytes(flavor.ram)}, ${flavor.disk} GB disk`,
        })),
      }]}
      send={({ flavor }) => act(server.id, { resize: { flavorRef: flavor } })}
      command={({ flavor }) => ['openstack', 'server', 'resize', ...option('--flavor', flavor), server.id]}
    />
  );
}

function Snapshot({ server, onClose }: WishProps) {
  return (
    <AskInDialog
      title={`Take an image of ${server.name}`} verb="Take the image" start={{ name: `${server.name} copy` }} onClose={onClose}
      questions={[{ name: 'name', label: 'Name of the image', required: true }]}
      send={async ({ name }) => {
        await act(server.id, { createImage: { name } });
        touch('image');
      }}
      command={({ name }) => ['openstack', 'server', 'image', 'create', '--name', name, server.id]}
    />
  );
}

function AttachVolume({ server, onClose }: WishProps) {
  const volumes = (useVolumes().value ?? []).filter((volume) => volume.status === 'available');
  return (
    <AskInDialog
      title={`Attach a volume to ${server.name}`} verb="Attach" start={{ volume: '' }} onClose={onClose}
      lead={volumes.length === 0 ? 'No volume is free. Make one under Volumes first.' : undefined}
      questions={[{
        name: 'volume', label: 'Volume', kind: 'select', required: true, none: 'Choose a volume',
        choices: volumes.map((volume) => ({ value: volume.id, label: named(volume.name, volume.id), help: `${volume.size} GiB` })),
      }]}
      send={async ({ volume }) => {
        await call('compute', `/servers/${server.id}/os-volume_attachments`, { method: 'POST', json: { volumeAttachment: { volumeId: volume } } });
        touch('server', 'volume');
      }}
      command={({ volume }) => ['openstack', 'server', 'add', 'volume', server.id, volume || 'VOLUME']}
    />
  );
}

function AttachInterface({ server, onClose }: WishProps) {
  const networks = useNetworks().value ?? [];
  const free = (usePorts().value ?? []).filter((port) => port.device_id === '' && port.tenant_id === server.tenant_id);
  return (
    <AskInDialog
      title={`Attach ${server.name} to a network`} verb="Attach" start={{ to: '' }} onClose={onClose}
      questions={[{
        name: 'to', label: 'Network or port', kind: 'select', required: true, none: 'Choose one',
        choices: [
          ...networks.filter((network) => network.subnets.length > 0).map((network) => ({ value: `net ${network.id}`, label: named(network.name, network.id), help: 'the next free address' })),
          ...free.map((port) => ({ value: `port ${port.id}`, label: `Port ${named(port.name, port.id)}`, help: port.fixed_ips.map((ip) => ip.ip_address).join(', ') })),
        ],
      }]}
      send={async ({ to }) => {
        const [kind, id] = to.split(' ');
        await call('compute', `/servers/${server.id}/os-interface`, { method: 'POST', json: { interfaceAttachment: { [`${kind}_id`]: id } } });
        touch('server', 'port');
      }}
      command={({ to }) => ['openstack', 'server', 'add', to.startsWith('port') ? 'port' : 'network', server.id, to.split(' ')[1] ?? 'NETWORK']}
    />
  );
}

function GiveFloating({ server, onClose }: WishProps) {
  const outside = (useNetworks().value ?? []).filter((network) => network['router:external']);
  const free = (useFloating().value ?? []).filter((one) => !one.port_id);
  const ports = (usePorts(`device_id=${server.id}`).value ?? []);
  return (
    <AskInDialog
      title={`Give ${server.name} a floating address`} verb="Give the address" start={{ from: '', port: '' }} onClose={onClose}
      lead="It is reached from outside under this address, which stays yours when the machine goes. Its network needs a router to the outside."
      questions={[
        {
          name: 'from', label: 'Address', kind: 'select', required: true, none: 'Choose one',
          choices: [
            ...free.map((one) => ({ value: `have ${one.id}`, label: one.floating_ip_address, help: 'yours, free' })),
            ...outside.map((network) => ({ value: `new ${network.id}`, label: `A new one of ${named(network.name, network.id)}` })),
          ],
        },
        {
          name: 'port', label: 'For its own address', kind: 'select', none: 'The first', when: () => ports.length > 1,
          choices: ports.map((port) => ({ value: port.id, label: port.fixed_ips.map((ip) => ip.ip_address).join(', ') })),
        },
      ]}
      why={() => (ports.length === 0 ? 'It has no port yet.' : undefined)}
      send={({ from, port }) => giveFloating(from, port || ports[0]!.id)}
      command={({ from }) => ['openstack', 'server', 'add', 'floating', 'ip', server.id, free.find((one) => `have ${one.id}` === from)?.floating_ip_address ?? 'ADDRESS']}
    />
  );
}

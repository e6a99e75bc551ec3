// SPDX-License-Identifier: Apache-2.0
// A server as it shall be: as compute is asked for it, and in writing.

import { option, Raw, resource, type Said } from '../parts';
import { numbered } from '../said/hcl';

export type Plan = {
  name: string; image: string; flavor: string;
  /** `net ID`, `port ID`, `first` for one that is made now, or `none`. */
  network: string;
  address: string; key: string; groups: string[]; disk: boolean; diskSize: string; goes: boolean; userData: string; count: string;
};

export function bodyOf(plan: Plan): Record<string, unknown> {
  const [kind, id] = plan.network.split(' ');
  const networks = kind === 'none' ? 'none' : kind === 'port' ? [{ port: id }] : [{ uuid: id, ...(plan.address && { fixed_ip: plan.address }) }];
  const many = Number(plan.count) || 1;
  return {
    name: plan.name, flavorRef: plan.flavor, networks,
    ...(plan.disk
      ? { block_device_mapping_v2: [{ boot_index: 0, uuid: plan.image, source_type: 'image', destination_type: 'volume', volume_size: Number(plan.diskSize), delete_on_termination: plan.goes }] }
      : { imageRef: plan.image }),
    ...(plan.key && { key_name: plan.key }),
    ...(plan.groups.length > 0 && kind === 'net' && { security_groups: plan.groups.map((one) => ({ name: one })) }),
    ...(plan.userData && { user_data: base64(plan.userData) }),
    ...(many > 1 && { min_count: many, max_count: many }),
  };
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

export function saidOf(plan: Plan, names: { image: string; flavor: string }): Said {
  const [kind, id] = plan.network.split(' ');
  const name = plan.name || 'NAME';
  const many = Number(plan.count) || 1;
  const network = kind === 'none' ? ['--network', 'none'] : kind === 'port' ? ['--port', id!] : kind === 'first' ? ['--network', 'first']
    : plan.address ? ['--nic', `net-id=${id},v4-fixed-ip=${plan.address}`] : ['--network', id!];
  return {
    commands: [[
      'openstack', 'server', 'create', '--image', names.image || 'IMAGE', '--flavor', names.flavor || 'FLAVOR', ...network, ...option('--key-name', plan.key),
      ...plan.groups.flatMap((one) => ['--security-group', one]), ...(plan.disk ? ['--boot-from-volume', plan.diskSize] : []),
      ...(plan.userData ? ['--user-data', 'first-start.yaml'] : []), ...(many > 1 ? ['--min', String(many), '--max', String(many)] : []), name,
    ]],
    terraform: [resource('compute_instance_v2', name, {
      count: many > 1 ? new Raw(String(many)) : undefined, name: many > 1 ? numbered(name) : name,
      image_name: plan.disk ? undefined : names.image, flavor_name: names.flavor, key_pair: plan.key, security_groups: plan.groups.length > 0 ? plan.groups : undefined,
      user_data: plan.userData || undefined,
    }, [
      ...(kind === 'none' ? [] : [['network', kind === 'port' ? { port: id } : kind === 'first' ? { name: 'first' } : { uuid: id, fixed_ip_v4: plan.address }] as [string, Record<string, string | undefined>]]),
      ...(plan.disk ? [['block_device', {
        uuid: plan.image, source_type: 'image', destination_type: 'volume', volume_size: new Raw(plan.diskSize || '1'), boot_index: 0, delete_on_termination: plan.goes,
      }] as [string, Record<string, string | number | boolean | Raw>]] : []),
    ])],
  };
}

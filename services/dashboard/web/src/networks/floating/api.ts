// SPDX-License-Identifier: Apache-2.0
// Floating addresses: of the outside, given to a machine's port, and kept when the machine goes.

import { type Read, useList } from '../../wire';
import { alter, make } from '../api';

export interface Floating { id: string; floating_ip_address: string; fixed_ip_address: string | null; port_id: string | null; floating_network_id: string; status: string; description: string }

export function useFloating(): Read<Floating[]> {
  return useList<Floating>('network', '/floatingips', 'floatingips', ['floatingip', 'port']);
}

/** `have ID` gives one that is there, `new NETWORK` takes another. */
export async function giveFloating(from: string, port: string): Promise<void> {
  const [how, id] = from.split(' ');
  if (how === 'have') await alter('floatingips', id!, { port_id: port });
  else await make<Floating>('floatingips', { floating_network_id: id, port_id: port });
}

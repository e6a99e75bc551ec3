// SPDX-License-Identifier: Apache-2.0
// What can be done to a server in which state, and why not in the others.

import type { Action } from '../parts';
import { act, type Server } from './api';

export type Wish = 'rebuild' | 'resize' | 'snapshot' | 'delete' | 'rename' | 'volume' | 'interface' | 'floating' | 'rescue';

interface Rule {
  label: string;
  in: string[];
  /** Why it cannot be done in another state. */
  why: string;
  does: Record<string, unknown> | Wish;
  danger?: boolean;
  /** Offered only where it makes sense at all, so that menus stay short. */
  onlyIn?: boolean;
}

const RULES: Rule[] = [
  { label: 'Confirm the new size', in: ['VERIFY_RESIZE'], why: '', does: { confirmResize: null }, onlyIn: true },
  { label: 'Go back to the old size', in: ['VERIFY_RESIZE'], why: '', does: { revertResize: null }, onlyIn: true },
  { label: 'End the rescue', in: ['RESCUE'], why: '', does: { unrescue: null }, onlyIn: true },
  { label: 'Start', in: ['SHUTOFF'], why: 'It is not stopped.', does: { 'os-start': null } },
  { label: 'Stop', in: ['ACTIVE', 'ERROR'], why: 'It is not running.', does: { 'os-stop': null } },
  { label: 'Reboot', in: ['ACTIVE'], why: 'It is not running.', does: { reboot: { type: 'SOFT' } } },
  { label: 'Reboot at once', in: ['ACTIVE', 'SHUTOFF', 'PAUSED', 'ERROR'], why: 'It cannot be rebooted in this state.', does: { reboot: { type: 'HARD' } } },
  { label: 'Go on', in: ['PAUSED'], why: '', does: { unpause: null }, onlyIn: true },
  { label: 'Pause', in: ['ACTIVE'], why: 'It is not running.', does: { pause: null } },
  { label: 'Rename', in: ['*'], why: '', does: 'rename' },
  { label: 'Attach a volume', in: ['ACTIVE', 'SHUTOFF', 'PAUSED'], why: 'It takes volumes only while it runs or is stopped.', does: 'volume' },
  { label: 'Attach to a network', in: ['ACTIVE', 'SHUTOFF', 'PAUSED'], why: 'It takes cards only while it runs or is stopped.', does: 'interface' },
  { label: 'Give a floating address', in: ['ACTIVE', 'SHUTOFF', 'PAUSED', 'RESCUE'], why: 'It has no port to give it to yet.', does: 'floating' },
  { label: 'Take an image of it', in: ['ACTIVE', 'SHUTOFF', 'PAUSED'], why: 'It can be copied only while it runs or is stopped.', does: 'snapshot' },
  { label: 'Resize', in: ['ACTIVE', 'SHUTOFF'], why: 'It can be resized only while it runs or is stopped.', does: 'resize' },
  { label: 'Rescue', in: ['ACTIVE', 'SHUTOFF', 'ERROR'], why: 'It can be rescued only while it runs, is stopped or failed.', does: 'rescue' },
  { label: 'Rebuild', in: ['ACTIVE', 'SHUTOFF', 'ERROR'], why: 'It can be rebuilt only while it runs, is stopped or failed.', does: 'rebuild', danger: true },
  { label: 'Delete', in: ['*'], why: '', does: 'delete', danger: true },
];

export function actionsOf(server: Server, wish: (what: Wish) => void, refused: (error: unknown) => void): Action[] {
  const task = server['OS-EXT-STS:task_state'];
  const shown = RULES.filter((rule) => !rule.onlyIn || rule.in.includes(server.status));
  const actions = shown.map((rule): Action => {
    const does = rule.does;
    const always = rule.in.includes('*');
    const busy = task && !always ? `Wait until it is done with ${task.replaceAll('_', ' ')}.` : undefined;
    const locked = server.locked && does !== 'rename' ? 'It is locked. Unlock it first.' : undefined;
    const why = locked ?? busy ?? (always || rule.in.includes(server.status) ? undefined : rule.why);
    return {
      label: rule.label, why, danger: rule.danger,
      run: () => (typeof does === 'string' ? wish(does) : void act(server.id, does).catch(refused)),
    };
  });
  const lock = server.locked ? { label: 'Unlock', does: { unlock: null } } : { label: 'Lock', does: { lock: null } };
  actions.splice(-1, 0, { label: lock.label, run: () => void act(server.id, lock.does).catch(refused) });
  return actions;
}

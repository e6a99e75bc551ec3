// SPDX-License-Identifier: Apache-2.0
// The state of a thing: a word with a colour beside it, never a colour alone.

const CALM = /^(active|available|up|online|in-use|in_use|enabled|running|assigned)$/i;
const BAD = /error|fail|down|degraded|killed|deactivated|offline/i;
const STILL = /^(shutoff|stopped|paused|suspended|disabled|no_monitor|draining|reserved|queued)$/i;

const WORDS: Record<string, string> = {
  shutoff: 'stopped', build: 'starting', verify_resize: 'resized, to be confirmed', 'in-use': 'in use', active: 'active',
  hard_reboot: 'rebooting', no_monitor: 'not watched', pending_create: 'being made', pending_update: 'changing', pending_delete: 'going',
};

export function inWords(state: string): string {
  return WORDS[state.toLowerCase()] ?? state.toLowerCase().replaceAll('_', ' ').replaceAll('-', ' ');
}

export function State({ is, words }: { is: string; words?: string }) {
  const kind = CALM.test(is) ? 'calm' : BAD.test(is) ? 'bad' : STILL.test(is) ? 'still' : 'moving';
  return <span className={`state ${kind}`}>{words ?? inWords(is)}</span>;
}

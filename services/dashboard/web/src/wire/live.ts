// SPDX-License-Identifier: Apache-2.0
// The cloud tells which things changed; what is shown of them is read anew through the APIs, so that rights stay theirs.

import { touch, touchAll } from './cache';

/** While nothing is heard, what is shown is read by the clock. */
const BLIND = 5_000;

let source: EventSource | undefined;
let stands = 0;
let clock: ReturnType<typeof setInterval> | undefined;

export function listen(told: (live: boolean) => void, ended: () => void): () => void {
  hush();
  const here = new EventSource('/dashboard/events');
  source = here;
  here.onopen = () => {
    if (clock) touchAll();
    see();
    told(true);
  };
  here.addEventListener('change', (event) => {
    const change = JSON.parse((event as MessageEvent<string>).data) as { type: string };
    touch(change.type);
  });
  here.addEventListener('open', noted);
  here.addEventListener('change', noted);
  here.addEventListener('gap', () => touchAll());
  here.addEventListener('end', () => {
    here.close();
    ended();
  });
  here.onerror = () => {
    told(false);
    clock ??= setInterval(touchAll, BLIND);
  };
  return hush;
}

/** The number of the newest event that was heard of; 0 if that is not known. */
export function newestEvent(): number {
  return stands;
}

function noted(event: Event): void {
  const id = event instanceof MessageEvent ? Number(event.lastEventId) : NaN;
  if (Number.isSafeInteger(id)) stands = Math.max(stands, id);
}

function see(): void {
  clearInterval(clock);
  clock = undefined;
}

function hush(): void {
  see();
  source?.close();
  source = undefined;
}

// SPDX-License-Identifier: Apache-2.0
// What was read of the cloud, kept while it is shown, and read anew when something says that it is another now.

import { useCallback, useSyncExternalStore } from 'react';

import { asRefusal, type Refusal } from './refusal';

export interface Read<T> {
  value?: T;
  refusal?: Refusal;
  /** Nothing was read so far. */
  waiting: boolean;
}

interface Entry {
  kinds: readonly string[];
  read: () => Promise<unknown>;
  shown: Read<unknown>;
  watchers: Set<() => void>;
  busy: boolean;
  stale: boolean;
  /** Counts for whom it is read; what was asked for somebody else is not shown. */
  turn: number;
}

const entries = new Map<string, Entry>();
const WAITING: Read<never> = { waiting: true };
/** Changes come in bursts, a server's with those of its ports; one look serves them all. */
const BURST = 40;
/** What nobody shows is forgotten after this many others. */
const KEPT = 80;

/** Reads under a key, and again whenever a thing of one of these kinds changes. No key: nothing is read. */
export function useRead<T>(key: string | undefined, kinds: readonly string[], read: () => Promise<T>): Read<T> {
  const watch = useCallback(
    (told: () => void) => {
      if (key === undefined) return () => undefined;
      const entry = entryOf(key, kinds, read);
      entry.watchers.add(told);
      if (entry.stale) void refresh(entry);
      return () => void entry.watchers.delete(told);
    },
    // The key says all that the reading depends on.
    [key],
  );
  return useSyncExternalStore(watch, () => ((key !== undefined && entries.get(key)?.shown) || WAITING) as Read<T>);
}

function entryOf(key: string, kinds: readonly string[], read: () => Promise<unknown>): Entry {
  let entry = entries.get(key);
  if (!entry) {
    prune();
    entry = { kinds, read, shown: WAITING, watchers: new Set(), busy: false, stale: true, turn: 0 };
    entries.set(key, entry);
  }
  entry.read = read;
  return entry;
}

async function refresh(entry: Entry): Promise<void> {
  if (entry.busy) return;
  entry.busy = true;
  while (entry.stale) {
    entry.stale = false;
    const { turn } = entry;
    try {
      const value = await entry.read();
      if (entry.turn === turn) show(entry, { value, waiting: false });
    } catch (error) {
      if (entry.turn !== turn) continue;
      // What was seen before is better than nothing, with the refusal beside it.
      show(entry, { value: entry.shown.value, refusal: asRefusal(error), waiting: false });
    }
  }
  entry.busy = false;
}

function show(entry: Entry, read: Read<unknown>): void {
  const same = !read.refusal && !entry.shown.refusal && JSON.stringify(read.value) === JSON.stringify(entry.shown.value);
  if (same && !read.waiting && !entry.shown.waiting) return;
  entry.shown = read;
  for (const told of entry.watchers) told();
}

function prune(): void {
  if (entries.size < KEPT) return;
  for (const [key, entry] of entries) if (entry.watchers.size === 0) entries.delete(key);
}

let touched = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** Something of this kind is another now. */
export function touch(...kinds: string[]): void {
  for (const kind of kinds) touched.add(kind);
  timer ??= setTimeout(() => {
    const all = touched;
    touched = new Set();
    timer = undefined;
    again((entry) => entry.kinds.some((kind) => all.has(kind)));
  }, BURST);
}

/** Everything that is shown is read anew. */
export function touchAll(): void {
  again(() => true);
}

function again(which: (entry: Entry) => boolean): void {
  for (const entry of entries.values()) {
    if (!which(entry)) continue;
    entry.stale = true;
    if (entry.watchers.size > 0) void refresh(entry);
  }
}

/** Nobody is here any more: nothing of before may be seen. */
export function forgetAll(): void {
  for (const entry of entries.values()) entry.turn += 1;
  entries.clear();
}

/** Somebody else, or for another project: what is shown is read anew for him, and nothing of before is seen meanwhile. */
export function beginAnew(): void {
  for (const [key, entry] of entries) {
    entry.turn += 1;
    entry.stale = true;
    if (entry.watchers.size === 0) entries.delete(key);
    else {
      show(entry, WAITING);
      void refresh(entry);
    }
  }
}

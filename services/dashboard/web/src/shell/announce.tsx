// SPDX-License-Identifier: Apache-2.0
// What changes without being looked at is said: to those who see as a short line, to those who listen by a live region.

import { useSyncExternalStore } from 'react';

let said: { text: string; at: number } = { text: '', at: 0 };
const watchers = new Set<() => void>();
const STAYS = 6_000;

export function announce(text: string): void {
  const at = said.at + 1;
  said = { text, at };
  for (const told of watchers) told();
  setTimeout(() => {
    if (said.at !== at) return;
    said = { text: '', at };
    for (const told of watchers) told();
  }, STAYS);
}

export function Announcements() {
  const now = useSyncExternalStore(
    (told) => {
      watchers.add(told);
      return () => void watchers.delete(told);
    },
    () => said,
  );
  return <div className="announced" role="status" aria-live="polite">{now.text && <p key={now.at}>{now.text}</p>}</div>;
}

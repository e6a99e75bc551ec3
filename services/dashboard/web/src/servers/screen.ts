// SPDX-License-Identifier: Apache-2.0
// The screen of a machine, by noVNC.

import Vnc from '@novnc/novnc';

export function openScreen(place: HTMLElement, line: string, say: (word: string) => void): () => void {
  const screen = new Vnc(place, line, {});
  screen.scaleViewport = true;
  screen.addEventListener('connect', () => {
    say('Connected. Keys go to the machine; leave with a press on the page beside it.');
    screen.focus();
  });
  screen.addEventListener('disconnect', (event) => {
    say(event.detail.clean ? 'The machine closed the connection.' : 'The connection broke off. Open the console anew.');
  });
  return () => screen.disconnect();
}

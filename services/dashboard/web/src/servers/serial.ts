// SPDX-License-Identifier: Apache-2.0
// The serial line of a machine, by xterm.js.

import '@xterm/xterm/css/xterm.css';

import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';

export function openSerial(place: HTMLElement, line: string, say: (word: string) => void): () => void {
  const terminal = new Terminal({ cursorBlink: true, scrollback: 5_000, screenReaderMode: true });
  const fit = new FitAddon();
  const hush = allowStyles(place);
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();
  const socket = new WebSocket(line, ['binary']);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    say('Connected. Press Enter if nothing shows.');
    terminal.focus();
  };
  socket.onclose = () => say('The connection is closed. Open the console anew.');
  socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) => {
    terminal.write(typeof event.data === 'string' ? event.data : new Uint8Array(event.data));
  };
  const bytes = new TextEncoder();
  terminal.onData((text) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(bytes.encode(text));
  });
  const resize = () => fit.fit();
  addEventListener('resize', resize);
  return () => {
    removeEventListener('resize', resize);
    socket.close();
    hush();
    terminal.dispose();
  };
}

/** The terminal writes its colours and sizes into style elements, which the policy of these pages does not let in. What they
 * say is taken over by sheets that a script made, which it does. */
function allowStyles(place: HTMLElement): () => void {
  const sheets = new Map<HTMLStyleElement, CSSStyleSheet>();
  const look = () => {
    for (const element of place.querySelectorAll('style')) {
      let sheet = sheets.get(element);
      if (!sheet) {
        sheet = new CSSStyleSheet();
        sheets.set(element, sheet);
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
      }
      sheet.replaceSync(element.textContent ?? '');
    }
  };
  const watcher = new MutationObserver(look);
  watcher.observe(place, { childList: true, characterData: true, subtree: true });
  return () => {
    watcher.disconnect();
    const mine = new Set(sheets.values());
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !mine.has(sheet));
  };
}

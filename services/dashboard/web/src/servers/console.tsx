// SPDX-License-Identifier: Apache-2.0
// The screen or the serial line of a server, in the browser. Both viewers are loaded only when somebody looks.

import { useEffect, useRef, useState } from 'react';

import { asked, Button, Page, Refused } from '../parts';
import type { Found } from '../shell/router';
import { asRefusal, call, type Refusal } from '../wire';
import { useServer } from './api';

type Protocol = 'vnc' | 'serial';
const TYPES: Record<Protocol, string> = { vnc: 'novnc', serial: 'serial' };

export function ConsolePage({ found }: { found: Found }) {
  const id = found['id']!;
  const name = useServer(id).value?.name ?? 'the server';
  const [protocol, setProtocol] = useState<Protocol>('vnc');
  const [line, setLine] = useState<string>();
  const [refusal, setRefusal] = useState<Refusal>();

  useEffect(() => {
    let over = false;
    setLine(undefined);
    setRefusal(undefined);
    const ask = { remote_console: { protocol, type: TYPES[protocol] } };
    call<{ remote_console: { url: string } }>('compute', `/servers/${id}/remote-consoles`, { method: 'POST', json: ask })
      .then((answer) => over || setLine(lineOf(answer.remote_console.url)))
      .catch((error: unknown) => over || setRefusal(asRefusal(error)));
    return () => {
      over = true;
    };
  }, [id, protocol]);

  return (
    <Page
      title={`Console of ${name}`} under={[name, `/servers/${id}`]}
      lead="What you would see and type in front of the machine. It asks for a user and password of its own."
      actions={(
        <>
          <Button look={protocol === 'vnc' ? 'main' : 'plain'} onPress={() => setProtocol('vnc')}>Screen</Button>
          <Button look={protocol === 'serial' ? 'main' : 'plain'} onPress={() => setProtocol('serial')}>Serial line</Button>
        </>
      )}
    >
      {refusal && <Refused refusal={refusal} what="The console cannot be opened." grab />}
      {line && <Viewer key={line} line={line} protocol={protocol} />}
    </Page>
  );
}

/** What `openstack console url show` prints, opened in a browser. */
export function ConsoleOfUrl() {
  const path = asked('path');
  const token = asked('token');
  const line = path ?? (token && `/console?token=${encodeURIComponent(token)}`);
  const serial = asked('type') === 'serial';
  // Nothing of the address is shown: whoever makes one up shall not speak through this page.
  return (
    <Page title="Console">
      {line ? <Viewer line={lineOf(line)} protocol={serial ? 'serial' : 'vnc'} /> : <p>This address lacks its token. Ask for a new one: openstack console url show.</p>}
    </Page>
  );
}

/** The websocket behind an address of a console; only this page's own origin is ever spoken to. */
function lineOf(url: string): string {
  const given = new URL(url, location.origin);
  const path = given.searchParams.get('path');
  const line = path ? new URL(path.startsWith('/') ? path : `/${path}`, location.origin) : given;
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${line.pathname}${line.search}`;
}

function Viewer({ line, protocol }: { line: string; protocol: Protocol }) {
  const place = useRef<HTMLDivElement>(null);
  const [word, setWord] = useState('Connecting…');

  useEffect(() => {
    const box = place.current!;
    let stop: () => void = () => undefined;
    let over = false;
    const open = protocol === 'vnc' ? import('./screen').then((one) => one.openScreen) : import('./serial').then((one) => one.openSerial);
    void open.then((start) => {
      if (!over) stop = start(box, line, setWord);
    });
    return () => {
      over = true;
      stop();
    };
  }, [line, protocol]);

  return (
    <>
      <p role="status" className="quiet-text">{word}</p>
      <div className="screen" ref={place} />
    </>
  );
}

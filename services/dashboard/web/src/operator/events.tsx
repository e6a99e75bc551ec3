// SPDX-License-Identifier: Apache-2.0
// What changed in the cloud: who, when, what. The newest first.

import { useState } from 'react';

import { ago, Page, Shown, Table, when, Dialog, Button } from '../parts';
import { call, useRead } from '../wire';
import { newestEvent } from '../wire/live';

interface Event {
  id: number; at: string; action: string; request_id: string; resource_type: string; resource_id: string; project_id: string | null;
  actor: { name: string; user_id: string | null }; before: unknown; after: unknown;
}

/** As many as are read at once; older ones are the business of `ferrostack events`. */
const SHOWN = 1_000;

export function Events() {
  const events = useRead('events', ALL, newest);
  const [open, setOpen] = useState<Event>();
  return (
    <Page title="Events" lead="Who changed what. Older ones are printed by: ferrostack events.">
      <Shown of={events}>
        {(rows) => (
          <Table
            label="Events" rows={rows} id={(row) => String(row.id)} name={(row) => `${row.action} of ${row.resource_id}`} empty={<p>Nothing happened yet.</p>}
            columns={[
              { name: 'When', text: (row) => -row.id, show: (row) => <span title={when(row.at)}>{ago(row.at)}</span> },
              { name: 'Who', text: (row) => row.actor.name },
              { name: 'What', text: (row) => row.action },
              { name: 'Of', text: (row) => `${row.resource_type} ${row.resource_id}`, show: (row) => <>{row.resource_type} <code>{row.resource_id}</code></> },
              { name: 'Request id', text: (row) => row.request_id, show: (row) => <code>{row.request_id}</code>, extra: true },
            ]}
            actions={(row) => [{ label: 'Show what changed', run: () => setOpen(row) }]}
          />
        )}
      </Shown>
      {open && (
        <Dialog title={`${open.action}, ${when(open.at)}`} onClose={() => setOpen(undefined)} wide>
          <pre className="secret-once" tabIndex={0} role="group" aria-label="Before and after">{JSON.stringify({ before: open.before, after: open.after }, null, 2)}</pre>
          <div className="buttons"><Button onPress={() => setOpen(undefined)}>Close</Button></div>
        </Dialog>
      )}
    </Page>
  );
}

const ALL = ['server', 'volume', 'volume_snapshot', 'image', 'network', 'subnet', 'port', 'router', 'floatingip', 'security_group', 'keypair', 'user', 'project', 'login'];

/** The stream is read forward; the last page of it is what is wanted, and the live changes say about where that is. */
async function newest(): Promise<Event[]> {
  let all: Event[] = [];
  for (let after = Math.max(0, newestEvent() - SHOWN); ;) {
    const { events } = await call<{ events: Event[] }>('operator', `/events?limit=${SHOWN}&after=${after}`);
    all = [...all, ...events].slice(-SHOWN);
    if (events.length < SHOWN) return all;
    after = events.at(-1)!.id;
  }
}

// SPDX-License-Identifier: Apache-2.0
// All servers of the project.

import { useState } from 'react';

import { Button, ButtonLink, Confirm, type Destroying, Link, mebibytes, Page, Refused, Shown, State, Table, ago } from '../parts';
import { asRefusal, offers, type Refusal } from '../wire';
import { Behind } from './behind';
import { actionsOf, type Wish } from './actions';
import { act, addressesOf, doing, remove, type Server, useServers } from './api';
import { WishDialog } from './wishes';

export function Servers() {
  const servers = useServers();
  const [wish, setWish] = useState<{ what: Wish; server: Server }>();
  const [question, setQuestion] = useState<Destroying>();
  const [behind, setBehind] = useState<Server[]>();
  const [refusal, setRefusal] = useState<Refusal>();
  const refused = (error: unknown) => setRefusal(asRefusal(error));

  const each = (verb: string, means: string, run: (server: Server) => Promise<void>) => (rows: Server[]) =>
    setQuestion({ verb, noun: 'servers', names: rows.map((row) => row.name), means, run: (at) => run(rows[at]!) });

  return (
    <Page title="Servers" lead="Machines with a processor, memory and a disk of their own." actions={<ButtonLink to="/servers/new">Launch a server</ButtonLink>}>
      {refusal && <Refused refusal={refusal} grab />}
      <Shown of={servers}>
        {(rows) => (
          <Table
            label="Servers" rows={rows} id={(row) => row.id} name={(row) => row.name}
            columns={[
              { name: 'Name', text: (row) => row.name, show: (row) => <Link to={`/servers/${row.id}`}>{row.name}</Link> },
              { name: 'State', text: (row) => doing(row).words ?? row.status, show: (row) => <State {...doing(row)} /> },
              { name: 'Addresses', text: (row) => addressesOf(row).join(' '), show: (row) => addressesOf(row).join(', ') },
              { name: 'Size', text: (row) => row.flavor.ram, show: (row) => `${row.flavor.vcpus} × CPU, ${mebibytes(row.flavor.ram)}`, extra: true },
              { name: 'Made', text: (row) => row.created, show: (row) => ago(row.created), extra: true },
            ]}
            actions={(row) => actionsOf(row, (what) => setWish({ what, server: row }), refused)}
            many={[
              { label: 'Start', run: each('Start', 'They are started.', (server) => act(server.id, { 'os-start': null })) },
              { label: 'Stop', run: each('Stop', 'They are shut down, as if by their power button.', (server) => act(server.id, { 'os-stop': null })) },
              ...(offers('balancer') ? [{ label: 'Put behind a load balancer', run: setBehind }] : []),
              { label: 'Delete', danger: true, run: each('Delete', 'The machines and their own disks go for good. Volumes stay.', (server) => remove(server.id)) },
            ]}
            empty={<><h2>No server yet</h2><p>A server is a machine of your own in this cloud. Its name is all that you must choose.</p><ButtonLink to="/servers/new">Launch your first server</ButtonLink></>}
          />
        )}
      </Shown>
      {wish && <WishDialog wish={wish.what} server={wish.server} onClose={() => setWish(undefined)} />}
      {behind && <Behind servers={behind} onClose={() => setBehind(undefined)} />}
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
      {refusal && <div className="buttons"><Button look="quiet" onPress={() => setRefusal(undefined)}>Close the message</Button></div>}
    </Page>
  );
}

// SPDX-License-Identifier: Apache-2.0
// All load balancers of the project.

import { useState } from 'react';

import { ButtonLink, Confirm, type Destroying, Link, named, Page, Shown, State, Table } from '../parts';
import { type Balancer, removeBalancer, useBalancers, useListeners } from './api';

export function Balancers() {
  const balancers = useBalancers();
  const listeners = useListeners().value ?? [];
  const [question, setQuestion] = useState<Destroying>();
  const serves = (row: Balancer) => listeners.filter((one) => one.loadbalancers.some(({ id }) => id === row.id)).map((one) => `${one.protocol} ${one.protocol_port}`).join(', ');
  const destroy = (rows: Balancer[]) => setQuestion({
    verb: 'Delete', noun: 'load balancers', names: rows.map((row) => named(row.name, row.id)),
    means: 'Its address, and all that belongs to it, goes. The servers behind it stay.', run: (at) => removeBalancer(rows[at]!.id),
  });
  return (
    <Page title="Load balancers" lead="One address in front of several servers, which stays whatever becomes of them." actions={<ButtonLink to="/balancers/new">Make a load balancer</ButtonLink>}>
      <Shown of={balancers}>
        {(rows) => (
          <Table
            label="Load balancers" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.id)}
            columns={[
              { name: 'Name', text: (row) => named(row.name, row.id), show: (row) => <Link to={`/balancers/${row.id}`}>{named(row.name, row.id)}</Link> },
              { name: 'State', text: (row) => row.operating_status, show: (row) => <State is={row.provisioning_status === 'ACTIVE' ? row.operating_status : row.provisioning_status} /> },
              { name: 'Address', text: (row) => row.vip_address },
              { name: 'Serves', text: serves, show: (row) => serves(row) || 'nothing yet' },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: destroy }]}
            empty={<><h2>No load balancer yet</h2><p>It shares out what comes to one address among several servers, and leaves out those that fail.</p><ButtonLink to="/balancers/new">Make your first load balancer</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

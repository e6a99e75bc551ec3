// SPDX-License-Identifier: Apache-2.0
// All networks that this project sees.

import { useState } from 'react';

import { ButtonLink, Confirm, type Destroying, Link, named, Page, Shown, State, Table } from '../parts';
import { useProject, useSession } from '../session/session';
import { type Network, remove, useNetworks, useSubnets } from './api';

export function Networks() {
  const networks = useNetworks();
  const subnets = useSubnets().value ?? [];
  const project = useProject();
  const admin = useSession().has('admin');
  const [question, setQuestion] = useState<Destroying>();
  const cidrs = (row: Network) => subnets.filter((one) => one.network_id === row.id).map((one) => one.cidr).join(', ');
  const destroy = (rows: Network[]) => setQuestion({
    verb: 'Delete', noun: 'networks', names: rows.map((row) => named(row.name, row.id)), means: 'Its subnets go with it. Servers and routers must have left it before.',
    run: (at) => remove('networks', rows[at]!.id),
  });
  const why = (row: Network) => (row.tenant_id === project || admin ? undefined : 'It belongs to another project.');
  return (
    <Page title="Networks" lead="What servers are wired to. Whoever is in the same network reaches each other directly." actions={<ButtonLink to="/networks/new">Make a network</ButtonLink>}>
      <Shown of={networks}>
        {(rows) => (
          <Table
            label="Networks" rows={rows} id={(row) => row.id} name={(row) => named(row.name, row.id)}
            columns={[
              { name: 'Name', text: (row) => named(row.name, row.id), show: (row) => <Link to={`/networks/${row.id}`}>{named(row.name, row.id)}</Link> },
              { name: 'State', text: (row) => row.status, show: (row) => <State is={row.status} /> },
              { name: 'Addresses', text: cidrs, show: (row) => cidrs(row) || 'none yet' },
              { name: 'Reach', text: (row) => (row['router:external'] ? 'to the outside' : row.shared ? 'all projects' : 'this project') },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, why: why(row), run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: (all) => destroy(all.filter((row) => !why(row))) }]}
            empty={<><h2>No network yet</h2><p>Servers need a network to be reached. A name is enough; addresses and a way to the outside come with it.</p><ButtonLink to="/networks/new">Make your first network</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

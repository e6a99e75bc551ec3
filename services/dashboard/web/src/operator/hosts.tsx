// SPDX-License-Identifier: Apache-2.0
// The hosts of the cloud, for its operator.

import { ago, count, Page, Refused, Section, Shown, State, Table, mebibytes } from '../parts';
import { call, useList, useRead } from '../wire';

interface Node {
  id: string; hostname: string; up: boolean; disabled: boolean; disabled_reason: string | null; seen_at: string; version: string; datapath: string;
  accelerator: { kind: string; finding: string } | null; strays: string[];
}
interface Hypervisor { id: string; hypervisor_hostname: string; vcpus: number; vcpus_used: number; memory_mb: number; memory_mb_used: number; running_vms: number }

export function Hosts() {
  const nodes = useRead('nodes', ['node', 'host'], async () => (await call<{ nodes: Node[] }>('operator', '/nodes')).nodes);
  // The figures of a host are in the older view only.
  const hypervisors = useRead('hypervisors', ['node', 'server', 'allocation'], async () => {
    const headers = { 'OpenStack-API-Version': 'compute 2.53' };
    return (await call<{ hypervisors: Hypervisor[] }>('compute', '/os-hypervisors/detail', { headers })).hypervisors;
  });
  const of = (row: Node) => hypervisors.value?.find((one) => one.hypervisor_hostname === row.hostname);
  const services = useList<{ id: string; binary: string; host: string; status: string; state: string; updated_at: string }>('compute', '/os-services', 'services', ['node']);
  return (
    <Page title="Hosts" lead="The machines that this cloud runs on. Another one joins with a token: ferrostack join-token.">
      <Shown of={nodes}>
        {(rows) => (
          <Table
            label="Hosts" rows={rows} id={(row) => row.id} name={(row) => row.hostname} empty={<><h2>No host yet</h2><p>Print a token with ferrostack join-token, and let the host join with ferrostack node --join.</p></>}
            columns={[
              { name: 'Name', text: (row) => row.hostname },
              { name: 'State', text: (row) => (row.up ? 'up' : 'down'), show: (row) => <State is={row.disabled ? 'disabled' : row.up ? 'up' : 'down'} words={row.disabled ? `out of use${row.disabled_reason ? `: ${row.disabled_reason}` : ''}` : undefined} /> },
              { name: 'Servers', text: (row) => of(row)?.running_vms ?? 0 },
              { name: 'Processors', text: (row) => of(row)?.vcpus_used ?? 0, show: (row) => (of(row) ? `${of(row)!.vcpus_used} of ${of(row)!.vcpus}` : '–') },
              { name: 'Memory', text: (row) => of(row)?.memory_mb_used ?? 0, show: (row) => (of(row) ? `${mebibytes(of(row)!.memory_mb_used)} of ${mebibytes(of(row)!.memory_mb)}` : '–') },
              { name: 'Machines run by', text: (row) => row.accelerator?.kind ?? '', show: (row) => <span title={row.accelerator?.finding}>{row.accelerator?.kind.toUpperCase() ?? '–'}</span>, extra: true },
              { name: 'Heard of', text: (row) => row.seen_at, show: (row) => ago(row.seen_at), extra: true },
            ]}
          />
        )}
      </Shown>
      {nodes.value?.some((node) => node.strays.length > 0) && (
        <Section title="What nobody knows of">
          <p className="note">{count(nodes.value.reduce((sum, node) => sum + node.strays.length, 0), 'thing')} on the hosts belong to nobody. They are kept until you decide: ferrostack strays.</p>
        </Section>
      )}
      <Section title="Services">
        <Shown of={services}>
          {(rows) => (
            <Table
              label="Services" rows={rows} id={(row) => row.id} name={(row) => `${row.binary} on ${row.host}`} empty={<p>None.</p>}
              columns={[
                { name: 'Service', text: (row) => row.binary }, { name: 'Host', text: (row) => row.host },
                { name: 'State', text: (row) => row.state, show: (row) => <State is={row.state} /> }, { name: 'Use', text: (row) => row.status },
              ]}
            />
          )}
        </Shown>
      </Section>
      {hypervisors.refusal && <Refused refusal={hypervisors.refusal} />}
    </Page>
  );
}

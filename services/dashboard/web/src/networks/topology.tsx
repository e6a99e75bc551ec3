// SPDX-License-Identifier: Apache-2.0
// A drawing of what is wired to what: networks as bars from above to below, routers and servers between them.

import { ButtonLink, named, Page, Shown, go } from '../parts';
import { useServers } from '../servers/api';
import { type Network, type Port, useNetworks, usePorts, useRouters, useSubnets } from './api';

interface Box { id: string; name: string; kind: 'router' | 'server'; to: string; wires: { network: string; address: string }[] }

const GAP = 290;
const LEFT = 60;
const TOP = 76;
const ROW = 62;
const WIDE = 138;

export function Topology() {
  const networks = useNetworks();
  const ports = usePorts().value ?? [];
  const routers = useRouters().value ?? [];
  const servers = useServers().value ?? [];
  const shown = (networks.value ?? []).filter((one) => one.subnets.length > 0 || ports.some((port) => port.network_id === one.id));
  const wires = (id: string) => ports.filter((port: Port) => port.device_id === id).map((port) => ({ network: port.network_id, address: port.fixed_ips[0]?.ip_address ?? '' }));
  const boxes: Box[] = [
    ...routers.map((one): Box => ({
      id: one.id, name: named(one.name, one.id), kind: 'router', to: `/routers/${one.id}`,
      // Whoever has a router does not see the port by which it goes outside.
      wires: merged([...wires(one.id), ...(one.external_gateway_info ? [{ network: one.external_gateway_info.network_id, address: one.external_gateway_info.external_fixed_ips[0]?.ip_address ?? '' }] : [])]),
    })),
    ...servers.map((one): Box => ({ id: one.id, name: one.name, kind: 'server', to: `/servers/${one.id}`, wires: wires(one.id) })),
  ];
  return (
    <Page title="Drawing" lead="What is wired to what. Each box leads to its own page." actions={<ButtonLink to="/networks/new">Make a network</ButtonLink>}>
      <Shown of={networks}>
        {() => (shown.length === 0
          ? <div className="empty"><h2>Nothing to draw yet</h2><p>Make a network first; servers and routers are drawn beside it.</p><ButtonLink to="/networks/new">Make your first network</ButtonLink></div>
          : <Drawing networks={shown} boxes={boxes} />)}
      </Shown>
    </Page>
  );
}

function merged(wires: Box['wires']): Box['wires'] {
  return wires.filter((wire, at) => wires.findIndex((one) => one.network === wire.network) === at);
}

function Drawing({ networks, boxes }: { networks: Network[]; boxes: Box[] }) {
  const subnets = useSubnets().value ?? [];
  const order = [...networks].sort((a, b) => Number(b['router:external']) - Number(a['router:external']) || a.name.localeCompare(b.name));
  const x = (id: string) => LEFT + order.findIndex((one) => one.id === id) * GAP;
  const high = TOP + Math.max(1, boxes.length) * ROW + 24;
  const wide = LEFT + order.length * GAP + 30;
  return (
    <div className="drawing">
      <svg width={wide} height={high} viewBox={`0 0 ${wide} ${high}`} preserveAspectRatio="xMinYMin" role="group" aria-label="Networks, routers and servers">
        {order.map((one) => (
          <g key={one.id}>
            <text x={x(one.id)} y={26} fontWeight={600}>{short(named(one.name, one.id), 24)}</text>
            <text x={x(one.id)} y={44} className="soft">{short(subnets.filter((subnet) => subnet.network_id === one.id).map((subnet) => subnet.cidr).join(', '), 30)}</text>
            <rect x={x(one.id)} y={56} width={10} height={high - 72} rx={5} className={one['router:external'] ? 'net outside' : 'net'} />
          </g>
        ))}
        {boxes.map((box, at) => <Drawn key={box.id} box={box} y={TOP + at * ROW} x={x} names={(id) => order.find((one) => one.id === id)?.name ?? ''} />)}
      </svg>
    </div>
  );
}

function Drawn({ box, y, x, names }: { box: Box; y: number; x: (network: string) => number; names: (network: string) => string }) {
  const wires = box.wires.filter((wire) => x(wire.network) >= LEFT).sort((a, b) => x(a.network) - x(b.network));
  const left = wires[0] ? x(wires[0].network) + 44 : LEFT + 44;
  const middle = y + 20;
  // A name that is read aloud begins with what is seen, so that whoever speaks to the page can say it.
  const seen = [short(box.name, 17), wires[0]?.address ?? 'in no network'];
  const said = `${seen.join(' ')}, ${box.kind} ${box.name}, ${wires.length === 0 ? 'in no network' : `in ${wires.map((wire) => `${names(wire.network)} as ${wire.address}`).join(' and ')}`}`;
  return (
    <g>
      {wires.map((wire, at) => {
        const net = x(wire.network) + 5;
        return (
          <g key={at}>
            <line className="wire" x1={net} x2={net < left ? left : left + WIDE} y1={middle} y2={middle} />
            {at > 0 && <text className="soft" x={net - 8} y={middle - 5} textAnchor="end">{wire.address}</text>}
          </g>
        );
      })}
      <a
        href={`/dashboard${box.to}`} aria-label={said}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          go(box.to);
        }}
      >
        <rect className="box" x={left} y={y} width={WIDE} height={42} rx={box.kind === 'router' ? 21 : 8} />
        <text x={left + 14} y={y + 18}>{seen[0]}</text>
        <text x={left + 14} y={y + 33} className="soft">{seen[1]}</text>
      </a>
    </g>
  );
}

function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

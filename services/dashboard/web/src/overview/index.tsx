// SPDX-License-Identifier: Apache-2.0
// The first page: what there is, how much of the quota is used, and what to do next.

import { ButtonLink, Link, mebibytes, Page, Refused, Section, Shown, Use } from '../parts';
import { useSession } from '../session/session';
import { useServers } from '../servers/api';
import { offers } from '../wire';
import { useLimits, useNetworkQuotas, useVolumeQuotas } from './limits';

const OF_NETWORK: [string, string][] = [
  ['network', 'Networks'], ['router', 'Routers'], ['port', 'Ports'], ['floatingip', 'Floating addresses'], ['security_group', 'Security groups'],
];

export function Overview() {
  const session = useSession();
  const servers = useServers();
  const limits = useLimits();
  const volumes = useVolumeQuotas();
  const networks = useNetworkQuotas();
  const project = session.token.project;
  const running = servers.value?.filter((one) => one.status === 'ACTIVE').length ?? 0;
  const failed = servers.value?.filter((one) => one.status === 'ERROR').length ?? 0;

  if (!project) {
    return <Page title="Overview"><div className="empty"><h2>You work in no project yet</h2><p>Choose one above. If there is none, ask whoever manages your organisation to let you into one.</p></div></Page>;
  }
  return (
    <Page title="Overview" lead={`Project ${project.name}`} actions={<ButtonLink to="/servers/new">Launch a server</ButtonLink>}>
      <div className="cards">
        <Link to="/servers" className="card"><strong>{servers.value?.length ?? '…'}</strong><span>servers, {running} running</span></Link>
        {offers('volume') && <Link to="/volumes" className="card"><strong>{volumes.value?.['volumes']?.used ?? '…'}</strong><span>volumes</span></Link>}
        <Link to="/networks" className="card"><strong>{networks.value?.['network']?.used ?? '…'}</strong><span>networks</span></Link>
        <Link to="/floating" className="card"><strong>{networks.value?.['floatingip']?.used ?? '…'}</strong><span>floating addresses</span></Link>
      </div>
      {failed > 0 && <p className="note section">{failed === 1 ? 'One server has failed.' : `${failed} servers have failed.`} <Link to="/servers">See which</Link>.</p>}
      <Section title="Machines">
        <Shown of={limits}>
          {(one) => (
            <div className="uses">
              <Use label="Servers" used={one.totalInstancesUsed} limit={one.maxTotalInstances} />
              <Use label="Processors" used={one.totalCoresUsed} limit={one.maxTotalCores} />
              <Use label="Memory" used={one.totalRAMUsed} limit={one.maxTotalRAMSize} say={mebibytes} />
            </div>
          )}
        </Shown>
      </Section>
      {offers('volume') && (
        <Section title="Storage">
          <Shown of={volumes}>
            {(all) => (
              <div className="uses">
                {all['gigabytes'] && <Use label="Space" {...all['gigabytes']} say={(gib) => `${gib} GiB`} />}
                {all['volumes'] && <Use label="Volumes" {...all['volumes']} />}
                {all['snapshots'] && <Use label="Snapshots" {...all['snapshots']} />}
              </div>
            )}
          </Shown>
        </Section>
      )}
      {offers('network') && (
        <Section title="Network">
          <Shown of={networks}>
            {(all) => <div className="uses">{OF_NETWORK.map(([key, name]) => all[key] && <Use key={key} label={name} {...all[key]} />)}</div>}
          </Shown>
        </Section>
      )}
      {servers.refusal && <Refused refusal={servers.refusal} what="The servers could not be read." />}
    </Page>
  );
}

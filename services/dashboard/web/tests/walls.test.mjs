// SPDX-License-Identifier: Apache-2.0
// Nobody is kept out: every page in light and dark, wide and at 320 px, as axe judges it; and nothing of a tenant's names is taken
// for markup.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { barriers, browser, gone, password, prepare, signIn, url, window } from './cloud.mjs';

const CANARY = '<img src=x onerror="window.caught=1"><b>x</b>';
const PAGES = [
  '/', '/servers', '/servers/new', '/images', '/images/new', '/keypairs', '/keypairs/new', '/volumes', '/volumes/new', '/snapshots', '/objects', '/objects/new',
  '/topology', '/networks', '/networks/new', '/routers', '/routers/new', '/ports', '/ports/new', '/security-groups', '/security-groups/new', '/floating',
  '/floating/new', '/balancers', '/balancers/new', '/people', '/people/new', '/operator/hosts', '/operator/projects', '/operator/projects/new', '/operator/events', '/no/such/page',
];

let of;
let tenant;
let pages;

before(async () => {
  of = await browser();
  tenant = await prepare(`walls-${process.pid}`);
  pages = [...PAGES, ...(await fill(tenant))];
});

after(async () => of?.close());

/** Things whose names are markup, made by the tenant himself; the addresses of their pages. */
async function fill({ as }) {
  const { network } = await as('POST', '/network/v2.0/networks', { network: { name: CANARY } });
  await as('POST', '/network/v2.0/subnets', { subnet: { network_id: network.id, name: CANARY, cidr: '10.9.0.0/24', ip_version: 4 } });
  const { router } = await as('POST', '/network/v2.0/routers', { router: { name: CANARY } });
  const { port } = await as('POST', '/network/v2.0/ports', { port: { network_id: network.id, name: CANARY } });
  const { security_group: group } = await as('POST', '/network/v2.0/security-groups', { security_group: { name: CANARY, description: CANARY } });
  const { volume } = await as('POST', '/volume/v3/volumes', { volume: { name: CANARY, size: 1, description: CANARY } });
  const { images } = await as('GET', '/image/v2/images?status=active');
  const { server } = await as('POST', '/compute/v2.1/servers', { server: {
    name: CANARY, imageRef: images[0].id, flavorRef: 'm1.nano', networks: [{ uuid: network.id }], metadata: { x: CANARY } } });
  await as('PUT', `/object-store/v1/AUTH_${tenant.project}/${encodeURIComponent('<b>box<')}`);
  await as('PUT', `/object-store/v1/AUTH_${tenant.project}/${encodeURIComponent('<b>box<')}/${encodeURIComponent(CANARY)}`);
  return [
    `/networks/${network.id}`, `/routers/${router.id}`, `/ports/${port.id}`, `/security-groups/${group.id}`, `/volumes/${volume.id}`, `/servers/${server.id}`,
    `/images/${images[0].id}`, `/objects/${encodeURIComponent('<b>box<')}/`,
  ];
}

async function walk(settings, paths = pages, name = tenant.name, secret = tenant.secret) {
  const page = await window(of, settings);
  await signIn(page, name, secret);
  const found = [];
  for (const path of paths) {
    await gone(page, path);
    await page.waitForFunction(() => !document.querySelector('[aria-busy]'));
    for (const barrier of await barriers(page)) found.push(`${path}: ${barrier}`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wider > 0) found.push(`${path}: ${wider} px wider than the window`);
    if (await page.evaluate(() => window.caught || document.querySelectorAll('main b, main img').length > 0)) found.push(`${path}: a name became markup`);
  }
  found.push(...page.wrong);
  await page.context().close();
  return found;
}

test('no page in light colours keeps anybody out', async () => {
  assert.deepEqual(await walk({ colorScheme: 'light' }), []);
});

test('no page in dark colours and at 320 pixels keeps anybody out', async () => {
  assert.deepEqual(await walk({ colorScheme: 'dark', viewport: { width: 320, height: 640 } }), []);
});

test('no page of the operator and of managers keeps anybody out', async () => {
  const theirs = [...pages.filter((path) => /people|operator/.test(path)), `/operator/projects/${tenant.project}`];
  assert.deepEqual(await walk({ colorScheme: 'light' }, theirs, 'admin', password), []);
  assert.deepEqual(await walk({ colorScheme: 'dark', viewport: { width: 320, height: 640 } }, theirs, 'admin', password), []);
});

test('an open menu, a dialog and the page to sign in keep nobody out', async () => {
  const page = await window(of);
  await page.goto(`${url}/dashboard/`);
  await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
  assert.deepEqual(await barriers(page), []);
  await signIn(page, tenant.name, tenant.secret);
  await gone(page, '/volumes', 'Volumes');
  await page.getByRole('button', { name: `Actions of ${CANARY}` }).click();
  assert.deepEqual(await barriers(page), []);
  await page.getByRole('menuitem', { name: 'Make larger' }).click();
  await page.getByRole('dialog').waitFor();
  assert.deepEqual(await barriers(page), []);
  assert.deepEqual(page.wrong, []);
});

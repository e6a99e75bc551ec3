// SPDX-License-Identifier: Apache-2.0
// The sale: more servers behind one address, and out again, by a few presses. Only where the catalog has load balancers.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { at, browser, go, prepare, signIn, window } from './cloud.mjs';

let of;
let page;
let tenant;

before(async () => {
  of = await browser();
  tenant = await prepare(`sale-${process.pid}`);
  page = await window(of);
  await signIn(page, tenant.name, tenant.secret);
});

after(async () => of?.close());

const button = (name) => page.getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });
const row = (name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });

test('servers that are made for a while come behind a load balancer and leave it again', async () => {
  await go(page, 'Networks');
  await page.getByRole('link', { name: /^Make/ }).first().click();
  await field('Name').fill('shop');
  await field('Name').press('Enter');
  await at(page, 'Networks');
  await go(page, 'Servers');
  await page.getByRole('link', { name: /Launch/ }).first().click();
  await field('Name').fill('sale');
  await page.getByText('More choices').click();
  await field('How many of it').fill('2');
  await button('Launch').click();
  await at(page, 'Servers');
  for (const name of ['sale-1', 'sale-2']) await row(name).getByText(/10\.0\.0\.\d+/).waitFor();

  await go(page, 'Load balancers');
  await page.getByRole('link', { name: /^Make/ }).first().click();
  await field('Name').fill('front');
  await field('Address').fill('10.0.0.80');
  await button('Make the load balancer').click();
  await at(page, 'Load balancers');
  await row('front').getByText('10.0.0.80').waitFor();
  await row('front').getByText('TCP 80').waitFor();

  await go(page, 'Servers');
  await field('All servers').check();
  await button('Put behind a load balancer 2').click();
  await button('Put them behind it').click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await go(page, 'Load balancers');
  await page.getByRole('link', { name: 'front', exact: true }).click();
  await at(page, 'front');
  await row('sale-1').waitFor();
  await field('All members').check();
  await button('Drain 2').click();
  await button('Drain 2 members').click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await row('sale-2').getByText('draining').waitFor();
  await button('Take out 2').click();
  await button('Take out 2 members').click();
  await page.getByText('None yet: what comes is turned away.').waitFor();
  await button('Delete it').click();
  await button('Delete front').click();
  await at(page, 'Load balancers');
  await row('front').waitFor({ state: 'detached' });
  assert.deepEqual(page.wrong, []);
});

// SPDX-License-Identifier: Apache-2.0
// A tenant's week, by accessible role and name only.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { api, at, browser, go, gone, password, PATIENCE, prepare, signIn, url, window } from './cloud.mjs';

let of;
let page;
let tenant;

before(async () => {
  of = await browser();
  tenant = await prepare(`week-${process.pid}`);
  page = await window(of);
});

after(async () => of?.close());

const button = (name) => page.getByRole('button', { name, exact: true });
const field = (name) => page.getByLabel(name, { exact: true });
const row = (name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });
const act = async (thing, action) => {
  await button(`Actions of ${thing}`).click();
  await page.getByRole('menuitem', { name: action }).click();
};

test('a wrong password is refused in words, and the right one opens the overview', async () => {
  await page.goto(`${url}/dashboard/`);
  await field('User name').fill(tenant.name);
  await field('Password').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('User name and password do not fit together.').waitFor();
  await signIn(page, tenant.name, tenant.secret);
});

test('a script of the page reaches no token', async () => {
  const found = await page.evaluate(async () => {
    const session = await (await fetch('/dashboard/session', { headers: { 'X-Ferrostack-Menus': '1' } })).text();
    return JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]) + session;
  });
  const { cookies } = await page.context().storageState();
  const session = cookies.find((cookie) => cookie.name === 'ferrostack_session');
  assert.ok(session?.httpOnly, 'the cookie is there, and out of reach');
  assert.ok(!found.includes(session.value) && !/gAAAAA/.test(found), 'what scripts see has no token in it');
});

test('a network with its router is made by a name and Enter', async () => {
  await go(page, 'Networks');
  await page.getByRole('link', { name: 'Make a network' }).first().click();
  await field('Name').fill('office');
  await page.getByText('openstack subnet create --network office').waitFor();
  await button('Terraform').click();
  await page.getByText('resource "openstack_networking_network_v2" "office"').waitFor();
  await field('Name').press('Enter');
  await at(page, 'Networks');
  await row('office').getByText('10.0.0.0/24').waitFor();
  await go(page, 'Routers');
  await row('office').getByText('through external').waitFor();
});

test('a security group lets in what is ticked, and takes another rule', async () => {
  await go(page, 'Security groups');
  await page.getByRole('link', { name: 'Make a security group' }).first().click();
  await field('Name').fill('web');
  await field('SSH (22)').check();
  await field('Web, HTTP (80)').check();
  await button('Make the group').click();
  await at(page, 'Security groups');
  await row('web').getByText('TCP port 22 from anywhere').waitFor();
  await page.getByRole('link', { name: 'web', exact: true }).click();
  await button('Add a rule').click();
  await field('What').selectOption({ label: 'Web, HTTPS (443)' });
  await button('Add the rule').click();
  await page.getByRole('rowheader', { name: 'TCP port 443 from anywhere (IPv4)' }).waitFor();
});

test('a server is launched by a name and Enter', async () => {
  await go(page, 'Servers');
  await page.getByRole('link', { name: /Launch/ }).first().click();
  await field('Name').fill('web-1');
  await page.getByText(/It takes 1 processor \(\d+ left\)/).waitFor();
  await field('Name').press('Enter');
  await at(page, 'Servers');
  await row('web-1').waitFor();
  await row('web-1').getByText(/10\.0\.0\.\d+/).waitFor();
});

test('what cannot be done to a server says why', async () => {
  const menu = button('Actions of web-1');
  await menu.click();
  const confirm = page.getByRole('menuitem', { name: 'Start' });
  const running = page.getByRole('menuitem', { name: 'Stop' });
  const shut = (await confirm.getAttribute('aria-disabled')) === 'true' ? confirm : running;
  const reason = await page.locator(`[id="${await shut.getAttribute('aria-describedby')}"]`).textContent();
  assert.match(reason, /\.$/, 'the reason is a sentence');
  await page.keyboard.press('Escape');
});

test('a volume is made, and made larger', async () => {
  await go(page, 'Volumes');
  await page.getByRole('link', { name: /Make/ }).first().click();
  await field('Name').fill('content');
  await field('Size in GiB').fill('1');
  await field('Name').press('Enter');
  await at(page, 'Volumes');
  await row('content').getByText('available').waitFor();
  await act('content', 'Make larger');
  await field('Size in GiB').fill('2');
  await button('Make larger').click();
  await row('content').getByText('2 GiB').waitFor();
});

test('a port keeps a chosen address, and its anti-spoofing is turned off by name and on again', async () => {
  await go(page, 'Ports');
  await page.getByRole('link', { name: 'Make a port' }).first().click();
  await field('Name').fill('mail');
  await field('Network').selectOption({ index: 1 });
  const office = await page.getByRole('option', { name: /^office/ }).getAttribute('value');
  await field('Network').selectOption(office);
  await field('Fixed address').fill('10.0.0.25');
  await button('Make the port').click();
  await at(page, 'Ports');
  await row('mail').getByText('10.0.0.25').waitFor();
  await page.getByRole('link', { name: 'mail', exact: true }).click();
  await at(page, 'mail');
  await page.getByText('Only its own addresses may be used by this machine.').waitFor();
  await button('Let it use any address').click();
  await page.getByRole('dialog').getByRole('button', { name: /mail$/ }).click();
  await page.getByText('This machine may send under any address').waitFor();
  await button('Only its own addresses').click();
  await page.getByText('Only its own addresses may be used by this machine.').waitFor();
});

test('a file is uploaded and published, and everybody reads it by its link', async () => {
  await go(page, 'Files');
  await page.getByRole('link', { name: /Make/ }).first().click();
  await field('Name').fill('public');
  await field('Name').press('Enter');
  await at(page, 'Files');
  await page.getByRole('link', { name: 'public', exact: true }).click();
  await at(page, 'public');
  await field('Files to upload').setInputFiles({ name: 'page.html', mimeType: 'text/html', buffer: Buffer.from('<h1>open</h1>') });
  await page.getByRole('link', { name: 'page.html', exact: true }).waitFor();
  const link = `${api}/object-store/v1/AUTH_${tenant.project}/public/page.html`;
  assert.equal((await fetch(link)).status, 401, 'before it is published');
  await button('Publish it').click();
  await button('Publish public').click();
  await page.getByText('Public: everybody who has a link may read it.').waitFor();
  const answer = await fetch(link);
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), '<h1>open</h1>');
});

test('a refusal shows its cause, the way out and the request id', async () => {
  await gone(page, '/networks/new', 'Make a network');
  await field('Name').fill('broken');
  await field('Addresses').fill('10.0.0.0/99');
  await button('Make the network').click();
  const refused = page.getByRole('alert');
  await refused.getByText('Request id').waitFor();
  assert.match(await refused.textContent(), /99/, 'the cause names what was wrong');
});

test('many are deleted by ticking them, after their names were read', async () => {
  await go(page, 'Networks');
  await row('broken').waitFor();
  await field('Tick broken').check();
  await button('Delete 1').click();
  await page.getByRole('dialog', { name: 'Delete broken?' }).getByRole('button', { name: 'Delete broken' }).click();
  await row('broken').waitFor({ state: 'detached' });
});

test('a key pair is made, and its private key is shown once', async () => {
  await go(page, 'Key pairs');
  await page.getByRole('link', { name: /Add/ }).first().click();
  await field('Name').fill('mine');
  await button('Add the key pair').click();
  await page.getByRole('dialog').getByText('PRIVATE KEY').first().waitFor();
  await button('I have kept it').click();
  await row('mine').waitFor();
});

test('what another window changes shows here by itself', async () => {
  await go(page, 'Security groups');
  const other = await page.context().newPage();
  await signInAs(other);
  await other.goto(`${url}/dashboard/security-groups/new`);
  await other.getByLabel('Name', { exact: true }).fill('elsewhere');
  await other.getByRole('button', { name: 'Make the group' }).click();
  await row('elsewhere').waitFor({ timeout: PATIENCE });
  await other.close();
});

/** Windows of one browser have one session. */
async function signInAs(other) {
  await other.goto(`${url}/dashboard/`);
  await at(other, 'Overview');
}

test('another project is another world, and the way back is there', async () => {
  const { project } = await tenant.call('POST', '/identity/v3/projects', { project: { name: `${tenant.name}-shop`, domain_id: 'default' } });
  const { roles } = await tenant.call('GET', '/identity/v3/roles?name=member');
  await tenant.call('PUT', `/identity/v3/projects/${project.id}/users/${tenant.user}/roles/${roles[0].id}`);
  await go(page, 'Servers');
  await row('web-1').waitFor();
  await page.reload();
  await at(page, 'Servers');
  await field('Project').selectOption({ label: project.name });
  await page.getByText('No server yet').waitFor();
  await field('Project').selectOption({ label: tenant.name });
  await row('web-1').waitFor();
});

test('whoever has no project of his own comes to one that lets him in', async () => {
  const other = await window(of);
  await signIn(other, 'admin', password);
  await other.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Hosts' }).click();
  await at(other, 'Hosts');
  await other.getByRole('table', { name: 'Hosts' }).getByText('up').first().waitFor();
  assert.deepEqual(other.wrong, []);
  await other.context().close();
});

test('the drawing shows the server in its network', async () => {
  await go(page, 'Drawing');
  await page.getByRole('link', { name: /^web-1 10\.0\.0\.\d+, server web-1, in office as/ }).waitFor();
});

test('after signing out nothing of it is left', async () => {
  await page.getByRole('button', { name: `You are ${tenant.name}` }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
  await page.goto(`${url}/dashboard/servers`);
  await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
});

test('no script failed, the policy kept nothing out, and nothing was asked of elsewhere', () => {
  assert.deepEqual(page.wrong, []);
});

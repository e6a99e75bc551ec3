// SPDX-License-Identifier: Apache-2.0
// Everyday jobs by keyboard alone: no mouse, no script. What each takes is printed: actions are what somebody types or presses,
// steps are the presses of Tab and of arrows on the way there.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { at, browser, prepare, url, window } from './cloud.mjs';

const FURTHEST = 90;
let of;
let page;
let tenant;
let actions = 0;
let steps = 0;

before(async () => {
  of = await browser();
  tenant = await prepare(`keys-${process.pid}`);
  page = await window(of);
  await page.goto(`${url}/dashboard/`);
});

after(async () => of?.close());

async function to(role, name) {
  const wanted = page.getByRole(role, { name, exact: typeof name === 'string' }).first();
  await wanted.waitFor();
  for (let step = 0; step < FURTHEST; step += 1) {
    if (await wanted.evaluate((element) => element === document.activeElement)) {
      assert.ok(await wanted.evaluate((element) => element.matches(':focus-visible')), `${name}: the focus is seen`);
      return;
    }
    await page.keyboard.press('Tab');
    steps += 1;
  }
  assert.fail(`${role} ${name} is not reached by Tab`);
}

async function press(role, name, key = 'Enter') {
  await to(role, name);
  await page.keyboard.press(key);
  actions += 1;
}

async function type(name, text) {
  await to('textbox', name);
  await page.keyboard.type(text);
  actions += 1;
}

async function enter() {
  await page.keyboard.press('Enter');
  actions += 1;
}

async function choose(thing, action) {
  await press('button', `Actions of ${thing}`);
  const wanted = page.getByRole('menuitem', { name: action });
  await wanted.waitFor();
  while (!(await wanted.evaluate((element) => element === document.activeElement))) {
    await page.keyboard.press('ArrowDown');
    steps += 1;
  }
  await enter();
}

function job(name, does) {
  test(name, async (now) => {
    actions = 0;
    steps = 0;
    await does();
    now.diagnostic(`${actions} actions, ${steps} steps`);
  });
}

const rowOf = (name) => page.getByRole('rowheader', { name, exact: true });

job('sign in', async () => {
  await type('User name', tenant.name);
  await to('textbox', 'Password');
  await page.keyboard.type(tenant.secret);
  await enter();
  await at(page, 'Overview');
});

job('skip past the menu', async () => {
  await page.reload();
  await at(page, 'Overview');
  await page.evaluate(() => document.activeElement.blur());
  await press('link', 'Skip to the page');
  // Where a page comes the focus is on its heading already; the way to the link led round it.
  steps = 0;
  await to('link', 'Launch a server');
  assert.ok(steps < 5, 'the menu is passed by');
});

job('make a network with a way to the outside', async () => {
  await press('link', 'Networks');
  await at(page, 'Networks');
  await press('link', /^Make (a|your first) network/);
  await type('Name', 'office');
  await enter();
  await at(page, 'Networks');
  await rowOf('office').waitFor();
});

job('add a key pair', async () => {
  await press('link', 'Key pairs');
  await at(page, 'Key pairs');
  await press('link', /^Add/);
  await type('Name', 'mine');
  await enter();
  await page.getByRole('dialog').waitFor();
  await press('button', 'I have kept it');
  await rowOf('mine').waitFor();
});

job('let the web in by a security group', async () => {
  await press('link', 'Security groups');
  await at(page, 'Security groups');
  await press('link', 'Make a security group');
  await type('Name', 'web');
  await press('checkbox', 'Web, HTTP (80)', ' ');
  await press('button', 'Make the group');
  await at(page, 'Security groups');
  await rowOf('web').waitFor();
});

job('launch a server', async () => {
  await press('link', 'Overview');
  await at(page, 'Overview');
  await press('link', 'Launch a server');
  await type('Name', 'web-1');
  await enter();
  await at(page, 'Servers');
  await rowOf('web-1').waitFor();
});

job('rename a server', async () => {
  await choose('web-1', 'Rename');
  await page.getByRole('dialog').waitFor();
  await to('textbox', 'Name');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('www');
  await enter();
  await rowOf('www').waitFor();
});

job('make a volume', async () => {
  await press('link', 'Volumes');
  await at(page, 'Volumes');
  await press('link', /^Make/);
  await type('Name', 'content');
  await enter();
  await at(page, 'Volumes');
  await page.getByRole('row').filter({ has: rowOf('content') }).getByText('available').waitFor();
});

job('take a snapshot', async () => {
  await choose('content', 'Take a snapshot');
  await page.getByRole('dialog').waitFor();
  await to('textbox', 'Name of the snapshot');
  await enter();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await press('link', 'Snapshots');
  await at(page, 'Snapshots');
  await rowOf('content copy').waitFor();
});

job('take a floating address', async () => {
  await press('link', 'Floating addresses');
  await at(page, 'Floating addresses');
  await press('link', /^Take an address/);
  await press('button', 'Take it');
  await at(page, 'Floating addresses');
  await page.getByRole('rowheader', { name: /^172\.24\.4\./ }).waitFor();
});

job('make a place for files', async () => {
  await press('link', 'Files');
  await at(page, 'Files');
  await press('link', /^Make/);
  await type('Name', 'papers');
  await enter();
  await at(page, 'Files');
  await rowOf('papers').waitFor();
});

job('delete a snapshot by ticking it', async () => {
  await press('link', 'Snapshots');
  await at(page, 'Snapshots');
  await page.getByRole('row').filter({ has: rowOf('content copy') }).getByText('available').waitFor();
  await press('checkbox', 'Tick content copy', ' ');
  // It is before the list: back, as one does.
  const many = page.getByRole('button', { name: 'Delete 1' });
  while (!(await many.evaluate((element) => element === document.activeElement))) {
    await page.keyboard.press('Shift+Tab');
    steps += 1;
  }
  await enter();
  await press('button', 'Delete content copy');
  await rowOf('content copy').waitFor({ state: 'detached' });
});

job('close a question without an answer, and be where one was', async () => {
  await press('link', 'Servers');
  await at(page, 'Servers');
  await choose('www', 'Delete');
  await page.getByRole('dialog', { name: 'Delete www?' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.ok(await page.getByRole('button', { name: 'Actions of www' }).evaluate((element) => element === document.activeElement));
});

job('delete a server', async () => {
  await choose('www', 'Delete');
  await press('button', 'Delete www');
  await rowOf('www').waitFor({ state: 'detached' });
});

job('dark colours, and sign out', async () => {
  const mine = `You are ${tenant.name}`;
  await page.reload();
  await at(page, 'Servers');
  await page.evaluate(() => document.activeElement.blur());
  await press('button', mine);
  await enter();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  await press('button', mine);
  await page.keyboard.press('End');
  await enter();
  await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
});

test('no script failed on the way', () => assert.deepEqual(page.wrong, []));

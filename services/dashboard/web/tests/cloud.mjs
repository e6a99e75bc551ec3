// SPDX-License-Identifier: Apache-2.0
// A browser in front of a real cloud. Where that is, and who may sign in, the environment says:
// MENUS_URL (http://host:port), MENUS_ADMIN_PASSWORD, and MENUS_CHROMIUM if it is not where Debian has it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

export const url = process.env.MENUS_URL ?? 'http://127.0.0.1:8080';
/** Where the APIs answer, if that is not the same: while the menus are worked on. */
export const api = process.env.MENUS_API ?? url;
export const password = process.env.MENUS_ADMIN_PASSWORD ?? '';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A debug build on a busy machine. */
export const PATIENCE = 30_000;

export async function browser() {
  return chromium.launch({ executablePath: process.env.MENUS_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
}

/** A window, and what went wrong in it: errors of scripts, things that the policy kept out, requests to elsewhere. */
export async function window(of, settings = {}) {
  const context = await of.newContext({ viewport: { width: 1280, height: 900 }, ...settings });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (/content security policy|trusted/i.test(message.text())) wrong.push(`policy: ${message.text()}`);
  });
  page.on('request', (request) => {
    const to = new URL(request.url());
    if (to.origin !== new URL(url).origin && !['data:', 'blob:'].includes(to.protocol)) wrong.push(`elsewhere: ${request.url()}`);
  });
  page.wrong = wrong;
  return page;
}

export async function signIn(page, name, secret) {
  await page.goto(`${url}/dashboard/`);
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(secret);
  await page.keyboard.press('Enter');
  await at(page, 'Overview');
}

/** Until the page with this heading is there. */
export async function at(page, heading) {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor();
}

/** By the menu, as a person goes. */
export async function go(page, name) {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name, exact: true }).click();
  await at(page, name);
}

export async function gone(page, path, heading) {
  await page.goto(`${url}/dashboard${path}`);
  await page.getByRole('heading', { level: 1, ...(heading && { name: heading }) }).first().waitFor();
}

/** What axe finds that keeps somebody out. */
export async function barriers(page) {
  const found = await page.evaluate(async (axe) => {
    // Into the page as a function of the debugger, which the policy of the page does not concern.
    if (!globalThis.axe) (0, globalThis.eval)(axe);
    const { violations } = await globalThis.axe.run(document);
    return violations.map((one) => `${one.id} (${one.impact}): ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
  }, AXE);
  return found;
}

async function ask(method, path, token, body) {
  const answer = await fetch(api + path, {
    method, headers: { 'Content-Type': 'application/json', ...(token && { 'X-Auth-Token': token }) }, body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return { token: answer.headers.get('x-subject-token'), body: text ? JSON.parse(text) : undefined };
}

/** What an operator has made before the first tenant comes: a tenant, a network to the outside, an image. */
export async function prepare(name) {
  const domain = { name: 'Default' };
  const auth = { identity: { methods: ['password'], password: { user: { name: 'admin', domain, password } } }, scope: { project: { name: 'admin', domain } } };
  const { token } = await ask('POST', '/identity/v3/auth/tokens', undefined, { auth });
  const call = async (method, path, body) => (await ask(method, path, token, body)).body;
  const { project } = await call('POST', '/identity/v3/projects', { project: { name, domain_id: 'default' } });
  const secret = `${name}-secret-1`;
  const { user } = await call('POST', '/identity/v3/users', { user: { name, password: secret, domain_id: 'default', default_project_id: project.id } });
  const { roles } = await call('GET', '/identity/v3/roles?name=member');
  await call('PUT', `/identity/v3/projects/${project.id}/users/${user.id}/roles/${roles[0].id}`);
  const { networks } = await call('GET', '/network/v2.0/networks?router:external=true');
  if (networks.length === 0) {
    const { network } = await call('POST', '/network/v2.0/networks', { network: {
      name: 'external', 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': process.env.MENUS_PHYSICAL ?? 'external' } });
    await call('POST', '/network/v2.0/subnets', { subnet: {
      network_id: network.id, ip_version: 4, cidr: '172.24.4.0/24', enable_dhcp: false, allocation_pools: [{ start: '172.24.4.100', end: '172.24.4.200' }] } });
  }
  const { images } = await call('GET', '/image/v2/images?status=active');
  if (images.length === 0) {
    const image = await call('POST', '/image/v2/images', { name: 'Debian 12', disk_format: 'raw', container_format: 'bare', visibility: 'public' });
    const answer = await fetch(`${api}/image/v2/images/${image.id}/file`, {
      method: 'PUT', headers: { 'Content-Type': 'application/octet-stream', 'X-Auth-Token': token }, body: Buffer.alloc(1 << 20) });
    if (!answer.ok) throw new Error(`the image: ${answer.status}`);
  }
  // What the tenant himself asks for, past the menus.
  const own = await ask('POST', '/identity/v3/auth/tokens', undefined, { auth: {
    identity: { methods: ['password'], password: { user: { id: user.id, password: secret } } }, scope: { project: { id: project.id } } } });
  const as = async (method, path, body) => (await ask(method, path, own.token, body)).body;
  return { name, secret, project: project.id, user: user.id, call, as };
}

// SPDX-License-Identifier: Apache-2.0
// The one way to a service: through the door of the menus, which turns the session's cookie into its token.

import { Refusal, sentenceOf } from './refusal';
import { rootOf, type Service, versionOf } from './roots';

/** A page of another origin cannot send this without asking, and the door refuses calls that lack it. */
const MARK = { 'X-Ferrostack-Menus': '1' };

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'COPY';

export interface Ask {
  method?: Method;
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
}

/** The session is over, or for another project by now, as another tab said. */
export type Gone = 'ended' | 'elsewhere';
let onGone: (how: Gone) => void = () => undefined;
let scope: string | undefined;

export function whenGone(told: (how: Gone) => void): void {
  onGone = told;
}

/** For which project this page asks; the door refuses what was meant for another. */
export function askFor(project: string | undefined): void {
  scope = project;
}

/** Names, paths and ids come from tenants: each is encoded as one part of a path. */
export function part(text: string): string {
  return encodeURIComponent(text);
}

export function address(service: Service, path: string): string {
  return `/dashboard/api${rootOf(service)}${path}`;
}

export function headersFor(service: Service): Record<string, string> {
  const version = versionOf(service);
  return { ...MARK, ...(scope && { 'X-Ferrostack-Scope': scope }), ...(version && { [version[0]]: version[1] }) };
}

export async function ask(service: Service, path: string, what: Ask = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...headersFor(service), ...what.headers };
  let body = what.body;
  if (what.json !== undefined) {
    body = JSON.stringify(what.json);
    headers['Content-Type'] ??= 'application/json';
  }
  return checked(await reach(address(service, path), { method: what.method ?? 'GET', headers, body }));
}

export async function call<T = unknown>(service: Service, path: string, what: Ask = {}): Promise<T> {
  const answer = await ask(service, path, what);
  const text = await answer.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** The doors of the menus themselves: the session's. */
export async function door<T>(path: string, what: Ask = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', ...MARK };
  if (what.json !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await reach(`/dashboard${path}`, {
    method: what.method ?? 'GET', headers, body: what.json === undefined ? undefined : JSON.stringify(what.json),
  });
  if (!answer.ok) throw await refusalOf(answer);
  const text = await answer.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

async function reach(url: string, what: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...what, credentials: 'same-origin', redirect: 'error', cache: 'no-store' });
  } catch {
    throw new Refusal(0, 'The cloud could not be reached.');
  }
}

async function checked(answer: Response): Promise<Response> {
  if (answer.ok) return answer;
  const gone = answer.headers.get('X-Ferrostack-Session');
  if (gone === 'ended' || gone === 'elsewhere') onGone(gone);
  throw await refusalOf(answer);
}

async function refusalOf(answer: Response): Promise<Refusal> {
  const id = answer.headers.get('x-openstack-request-id') ?? answer.headers.get('x-trans-id') ?? undefined;
  return new Refusal(answer.status, sentenceOf(await answer.text(), answer.status), id);
}

// SPDX-License-Identifier: Apache-2.0
// What the controller's door does for the menus, for whoever works on them: sessions by cookie, and the way to the APIs.
// A controller that has the menus in it serves all of this itself; then requests are handed on as they are.

import { randomUUID } from 'node:crypto';
import { request, type IncomingMessage, type ServerResponse } from 'node:http';

import type { Plugin } from 'vite';

interface Session { token: string; body: unknown }

const COOKIE = 'ferrostack_session';

export function standIn(api: string): Plugin {
  const sessions = new Map<string, Session>();
  return {
    name: 'stand-in-door',
    configureServer(server) {
      server.middlewares.use((ask, answer, next) => {
        const path = ask.url ?? '';
        if (path.startsWith('/dashboard/session')) void session(api, sessions, ask, answer);
        else if (path.startsWith('/dashboard/api/')) onward(api, sessions, ask, answer);
        // Nobody tells of changes here: the page reads by the clock.
        else if (path.startsWith('/dashboard/events')) answer.writeHead(204).end();
        else next();
      });
    },
  };
}

function sessionOf(sessions: Map<string, Session>, ask: IncomingMessage): [string, Session] | undefined {
  const id = new RegExp(`${COOKIE}=([\\w-]+)`).exec(ask.headers.cookie ?? '')?.[1];
  const found = id && sessions.get(id);
  return found ? [id, found] : undefined;
}

async function session(api: string, sessions: Map<string, Session>, ask: IncomingMessage, answer: ServerResponse): Promise<void> {
  const known = sessionOf(sessions, ask);
  if (ask.method === 'GET') return say(answer, known ? 200 : 401, known?.[1].body ?? { error: { message: 'Nobody is signed in.' } });
  if (ask.method === 'DELETE') {
    if (known) sessions.delete(known[0]);
    return say(answer, 204, undefined);
  }
  const parts: Buffer[] = [];
  for await (const part of ask) parts.push(part as Buffer);
  const asked = JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
  const scope = asked['project_id'] ? { project: { id: asked['project_id'] } } : undefined;
  let auth = scope ? { identity: { methods: ['token'], token: { id: known?.[1].token } }, scope } : asked['auth'];
  let made = await log_in(api, auth);
  if (made.status === 201 && !made.body.token.project && !scope) {
    const mine = await (await fetch(`${api}/identity/v3/auth/projects`, { headers: { 'X-Auth-Token': made.token } })).json() as { projects: { id: string }[] };
    if (mine.projects[0]) {
      auth = { identity: { methods: ['token'], token: { id: made.token } }, scope: { project: { id: mine.projects[0].id } } };
      made = await log_in(api, auth);
    }
  }
  if (made.status !== 201) return say(answer, made.status, made.body);
  const id = randomUUID();
  sessions.set(id, { token: made.token, body: made.body });
  answer.setHeader('Set-Cookie', `${COOKIE}=${id}; HttpOnly; SameSite=Strict; Path=/dashboard`);
  say(answer, 201, made.body);
}

async function log_in(api: string, auth: unknown) {
  const made = await fetch(`${api}/identity/v3/auth/tokens`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ auth }),
  });
  return { status: made.status, token: made.headers.get('x-subject-token') ?? '', body: (await made.json()) as { token: { project?: unknown } } };
}

function onward(api: string, sessions: Map<string, Session>, ask: IncomingMessage, answer: ServerResponse): void {
  const known = sessionOf(sessions, ask);
  if (!known) return say(answer, 401, { error: { message: 'Nobody is signed in.' } });
  const { cookie: _, host: __, ...headers } = ask.headers;
  const url = new URL((ask.url ?? '').slice('/dashboard/api'.length), api);
  const there = request(url, { method: ask.method, headers: { ...headers, 'x-auth-token': known[1].token } }, (came) => {
    answer.writeHead(came.statusCode ?? 502, came.headers);
    came.pipe(answer);
  });
  there.on('error', () => say(answer, 502, { error: { message: 'The controller cannot be reached.' } }));
  ask.pipe(there);
}

function say(answer: ServerResponse, status: number, body: unknown): void {
  answer.writeHead(status, { 'Content-Type': 'application/json' }).end(body === undefined ? undefined : JSON.stringify(body));
}

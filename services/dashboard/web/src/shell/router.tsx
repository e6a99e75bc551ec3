// SPDX-License-Identifier: Apache-2.0
// Which page is shown, by the address of the browser; and links that change it without loading anew.

import { type AnchorHTMLAttributes, type MouseEvent, type ReactNode, useSyncExternalStore } from 'react';

const BASE = '/dashboard';
const watchers = new Set<() => void>();

export function here(): string {
  const path = location.pathname.startsWith(BASE) ? location.pathname.slice(BASE.length) : '';
  return path || '/';
}

export function usePath(): string {
  return useSyncExternalStore(watch, here);
}

function watch(told: () => void): () => void {
  watchers.add(told);
  addEventListener('popstate', told);
  return () => {
    watchers.delete(told);
    removeEventListener('popstate', told);
  };
}

export function go(to: string, instead = false): void {
  if (instead) history.replaceState(null, '', BASE + to);
  else history.pushState(null, '', BASE + to);
  for (const told of watchers) told();
}

/** What comes after the question mark of the address. */
export function asked(name: string): string | undefined {
  return new URLSearchParams(location.search).get(name) ?? undefined;
}

export type Found = Record<string, string>;

/** Whether a path is of the form `/servers/:id`, and with what in the places of the names. */
export function matches(form: string, path: string): Found | undefined {
  const wanted = form.split('/');
  const parts = path.split('?')[0]!.split('/');
  const rest = wanted.at(-1) === '*';
  if (rest ? parts.length < wanted.length - 1 : parts.length !== wanted.length) return undefined;
  const found: Found = {};
  for (const [at, want] of wanted.entries()) {
    if (want === '*') {
      found['*'] = parts.slice(at).map(decoded).join('/');
      return found;
    }
    if (want.startsWith(':')) found[want.slice(1)] = decoded(parts[at] ?? '');
    else if (want !== parts[at]) return undefined;
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

interface LinkProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> {
  to: string;
  children: ReactNode;
}

export function Link({ to, children, onClick, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    // Whoever wants a new tab gets one.
    if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return <a href={BASE + to} onClick={follow} {...rest}>{children}</a>;
}

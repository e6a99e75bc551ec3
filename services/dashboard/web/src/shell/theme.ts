// SPDX-License-Identifier: Apache-2.0
// Light or dark: as the computer is set, until somebody says otherwise for this browser.

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'ferrostack-theme';

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export function setTheme(to: Theme): void {
  if (to === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, to);
  show();
}

export function show(): void {
  const now = theme();
  if (now === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = now;
}

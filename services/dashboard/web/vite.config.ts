// SPDX-License-Identifier: Apache-2.0
// How the menus are built, and served while somebody works on them.

import { defineConfig } from 'vite';

import { standIn } from './dev/door.ts';

export default defineConfig(({ command }) => ({
  base: '/dashboard/',
  plugins: command === 'serve' ? [standIn(process.env['FERROSTACK_API'] ?? 'http://127.0.0.1:8080')] : [],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    // Pages may only use what they bring along: nothing is put into them as text, for the policy of the pages forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
}));

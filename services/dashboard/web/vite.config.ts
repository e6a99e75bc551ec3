// SPDX-License-Identifier: Apache-2.0
// How the menus are built, and served while somebody works on them: then everything but the pages comes from a running cloud.

import { defineConfig } from 'vite';

const cloud = process.env['FERROSTACK_API'] ?? 'http://127.0.0.1:8080';
const handed = ['session', 'api', 'events', 'download'].map((path) => `/dashboard/${path}`);

export default defineConfig({
  base: '/dashboard/',
  server: { proxy: Object.fromEntries([...handed, '/object-store', '/console'].map((path) => [path, { target: cloud, ws: true }])) },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    // Pages may only use what they bring along: nothing is put into them as text, for the policy of the pages forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
});

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the menus anew: services/dashboard/web to services/dashboard/dist, which is committed, so that nobody else needs npm.
#   scripts/menus.sh          builds
#   scripts/menus.sh check    checks the types only
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../services/dashboard/web"

# What dist is built of; a test compares these sums with what is there.
sources() {
  { ls index.html package.json package-lock.json tsconfig.json vite.config.ts; find src public -type f; } | LC_ALL=C sort | xargs -d '\n' sha256sum
}

[ -e node_modules/.package-lock.json ] && [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
npx tsc --noEmit
[ "${1:-}" = check ] && exit
npx vite build
sources >../dist/sources.sha256
find ../dist -type f -name '*.*' -exec gzip -9c {} \; | wc -c | sed 's/$/ bytes compressed/'

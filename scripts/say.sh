# SPDX-License-Identifier: Apache-2.0
# How ./up and ./test speak: one line per step with the time since the start, and a last word that names the way out.

SAY_STARTED=$SECONDS

# step TEXT: a long step begins.
step() {
  local took=$((SECONDS - SAY_STARTED))
  printf '\n==> [%d:%02d] %s\n' $((took / 60)) $((took % 60)) "$*"
}

# note TEXT: something that the operator may want to know, and need not act on.
note() { printf '    %s\n' "$*"; }

# die TEXT [WAY_OUT]: stop, naming what is wrong and what to do about it.
die() {
  printf '\n%s: %s\n' "${0##*/}" "$1" >&2
  [ -z "${2:-}" ] || printf '  way out: %s\n' "$2" >&2
  exit 1
}

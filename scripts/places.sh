# SPDX-License-Identifier: Apache-2.0
# Where things lie. Nothing is built or cached inside the checkout, so that a clone stays clean and caches outlive it.

CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ferrostack
STATE=${FERROSTACK_HOME:-/var/lib/ferrostack}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}

# A login by sudo or su often lacks the administrator's folders.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

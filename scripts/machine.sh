# SPDX-License-Identifier: Apache-2.0
# What the machine must be before anything is installed or built. Each check names what is missing and the way out.

RUST_MINIMUM=1.95

require_root() {
  [ "$(id -u)" = 0 ] || die "this needs root: it makes network namespaces, taps and switches" "sudo $0 $*"
}

require_x86_64() {
  [ "$(uname -m)" = x86_64 ] || die "this machine is $(uname -m); only x86_64 is supported" "run it on an x86_64 machine"
}

require_known_distribution() {
  local ID='' VERSION_ID='' PRETTY_NAME=''
  [ ! -r /etc/os-release ] || . /etc/os-release
  case $ID-$VERSION_ID in
    debian-12 | debian-13 | ubuntu-24.04) return ;;
  esac
  [ -z "${FERROSTACK_ANY_DISTRIBUTION:-}" ] || { note "${PRETTY_NAME:-this system} is untested; going on as told"; return; }
  die "${PRETTY_NAME:-this system} is not Debian 12, Debian 13 or Ubuntu 24.04" \
    "use one of these, or try with FERROSTACK_ANY_DISTRIBUTION=1 (needs apt)"
}

# version_at_least HAVE WANTED
version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

require_rust() {
  PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
  if ! command -v cargo >/dev/null && [ -n "${SUDO_USER:-}" ]; then
    # The toolchain of the user who called sudo serves as well; what cargo downloads stays in root's own folder.
    local home
    home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    if [ -x "$home/.cargo/bin/cargo" ]; then
      PATH=$PATH:$home/.cargo/bin
      export RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup}
    fi
  fi
  local way_out="install a toolchain from https://rustup.rs (rustup install stable), then run this again"
  command -v cargo >/dev/null || die "no Rust toolchain: cargo is neither in PATH nor in ~/.cargo/bin" "$way_out"
  local have
  have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || true
  [ -n "$have" ] || die "cargo is there but does not run" "$way_out"
  version_at_least "$have" $RUST_MINIMUM || die "Rust $have is too old; $RUST_MINIMUM or newer is needed" "rustup update stable"
}

# require_space FOLDER MEGABYTES WHAT_FOR
require_space() {
  mkdir -p "$1" || die "cannot create $1, needed for $3" "make its parent writable, or choose another place (see --help)"
  local free
  free=$(df --output=avail -BM "$1" | tail -n 1 | tr -dc 0-9)
  [ "$free" -ge "$2" ] || die "$1 has $free MB free; $3 needs about $2 MB" "free some space, or choose another place (see --help)"
}

# The kernel is asked for the things themselves, in a namespace that vanishes with the question.
require_kernel_features() {
  unshare --net true 2>/dev/null || die "the kernel gives no network namespaces" "run on a kernel with CONFIG_NET_NS, not in an unprivileged container"
  [ -e /dev/net/tun ] || modprobe tun 2>/dev/null || true
  unshare --net ip link add probe0 type veth peer name probe1 2>/dev/null || die "the kernel gives no veth pairs" "run on a kernel with CONFIG_VETH (modprobe veth)"
  unshare --net ip tuntap add probe0 mode tap 2>/dev/null || die "the kernel gives no taps (/dev/net/tun)" "run on a kernel with CONFIG_TUN (modprobe tun); in a container pass /dev/net/tun in"
  [ -e /dev/kvm ] || note "no /dev/kvm: machines run emulated (TCG), several times slower; enable virtualisation in the firmware to change that"
}

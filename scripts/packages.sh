# SPDX-License-Identifier: Apache-2.0
# The distribution's packages that Ferrostack, its build and its tests need, and how they are brought in.
#
# Three promises: apt is not called at all when everything is there; no daemon of a package is started, for Ferrostack
# starts its own; and what the operator already runs is left as it is.

PACKAGES_BUILD="gcc libc6-dev binutils ca-certificates"
# qemu-storage-daemon comes with qemu-system-common (Debian 12) or qemu-utils (later), which are here in any case.
PACKAGES_CLOUD="openvswitch-switch ovn-central ovn-host qemu-system-x86 qemu-utils iproute2 ethtool nftables openssh-client"
PACKAGES_GUEST="binutils cpio e2fsprogs fdisk kmod mount xz-utils zstd"
PACKAGES_TEST="curl postgresql postgresql-client tcpdump arping iputils-ping python3-venv rclone restic s3cmd systemd"

POLICY=/usr/sbin/policy-rc.d
POLICY_MARK="# written by ferrostack while it installs packages"

# ensure_packages NAME...: in a subshell, so that its clean-up at exit is its own.
ensure_packages() (
  forget_stale_policy
  local missing
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  step "Installing from the distribution: $missing"
  command -v apt-get >/dev/null || die "apt-get is missing, so these packages cannot be installed: $missing" "install them by other means and run this again"
  quiet_apt update || die "apt-get update failed" "see its messages above, and $CACHE/apt.log"
  case " $missing " in *" qemu-system-x86 "* | *" qemu-utils "*) ensure_qemu; missing=$(missing_packages "$@") ;; esac
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086 # a list of words
  without_starting_daemons quiet_apt install --no-install-recommends $missing || die "apt-get could not install: $missing" "see its messages above, and $CACHE/apt.log; then run this again"
)

missing_packages() {
  local there name missing=''
  there=" $(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | tr '\n' ' ') "
  for name in "$@"; do
    case $there in *" $name "*) ;; *) missing="$missing $name" ;; esac
  done
  printf '%s' "${missing# }"
}

# What apt says goes to a log; each package that is set up is shown as progress.
quiet_apt() {
  local log=$CACHE/apt.log
  if ! DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get --quiet --yes -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1 |
    tee "$log" | sed --unbuffered --quiet 's/^Setting up \([^ ]*\) .*/    \1/p'; then
    grep -E '^(E|W|Err|dpkg)' "$log" >&2 || tail -n 20 "$log" >&2
    return 1
  fi
}

# Debian asks this script before it starts a daemon; 101 means "do not". It is there only while we install, and one that
# the operator has put there is respected instead.
without_starting_daemons() {
  local before status=0
  before=$(enabled_services)
  if [ ! -e $POLICY ]; then
    trap forget_stale_policy EXIT
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >$POLICY
    chmod 755 $POLICY
  fi
  "$@" || status=$?
  forget_stale_policy
  disable_new_services "$before"
  return $status
}

# Also takes away what a killed earlier run has left.
forget_stale_policy() {
  [ ! -e $POLICY ] || ! grep -qxF "$POLICY_MARK" $POLICY || rm -f $POLICY
}

# Under systemd a new package's services are enabled for the next boot, where they would compete with ours for the
# kernel's datapath. Those that were enabled before belong to the operator.
enabled_services() {
  [ -d /run/systemd/system ] || return 0
  systemctl list-unit-files --type=service --state=enabled --no-legend --plain 2>/dev/null | cut -d' ' -f1
}

disable_new_services() {
  [ -d /run/systemd/system ] || return 0
  local service
  for service in $(enabled_services); do
    case $service in openvswitch* | ovs-* | ovsdb-* | ovn-* | postgresql*) ;; *) continue ;; esac
    grep -qxF "$service" <<<"$1" || systemctl --quiet disable "$service" 2>/dev/null || true
  done
}

# QEMU's packages must come from one source. Where qemu-utils was installed from backports, plain apt would choose an
# older qemu-system-x86 that does not fit it, so the suite of the installed one is followed, and added where it is gone.
ensure_qemu() {
  local installed suite
  installed=$(dpkg-query --show --showformat '${db:Status-Status} ${Version}' qemu-utils 2>/dev/null | sed -n 's/^installed //p')
  case $installed in *~bpo*) ;; *) return 0 ;; esac
  suite=$(suite_offering qemu-system-x86 "$installed")
  if [ -z "$suite" ]; then
    add_backports
    suite=$(suite_offering qemu-system-x86 '~bpo')
  fi
  [ -n "$suite" ] || die "qemu-utils $installed is from backports, and no source offers a qemu-system-x86 that fits it" "add the backports source that it came from, or remove qemu-utils"
  note "qemu-utils $installed is installed: taking qemu-system-x86 from $suite too"
  without_starting_daemons quiet_apt install --no-install-recommends --target-release "$suite" qemu-system-x86 qemu-utils ||
    die "apt-get could not install qemu-system-x86 from $suite" "see its messages above, and $CACHE/apt.log"
}

# suite_offering PACKAGE VERSION_PART: the suite whose offer contains this version or part of one.
suite_offering() {
  apt-cache madison "$1" | awk -F' *[|] *' -v part="$2" 'index($2, part) { split($3, words, " "); split(words[2], suite, "/"); print suite[1]; exit }'
}

# The mirror is that from which the release itself is installed.
add_backports() {
  local VERSION_CODENAME='' mirror key
  . /etc/os-release
  mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' | awk -v release="$VERSION_CODENAME" '$1 == release && $2 == "main" { print $3; exit }')
  [ -n "$mirror" ] || die "no apt source offers $VERSION_CODENAME itself, so its backports cannot be found" "add the backports source that qemu-utils came from"
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  note "adding $VERSION_CODENAME-backports of the same mirror as /etc/apt/sources.list.d/ferrostack-backports.list"
  echo "deb [signed-by=$key] $mirror $VERSION_CODENAME-backports main" >/etc/apt/sources.list.d/ferrostack-backports.list
  quiet_apt update || die "apt-get update failed after adding backports" "see its messages above, and $CACHE/apt.log"
}

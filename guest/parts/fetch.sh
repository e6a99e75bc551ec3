# SPDX-License-Identifier: Apache-2.0
# Brings the packages with all that they depend on, and unpacks them side by side: nothing is installed on this host.

unpacked=$work/unpacked # the userland
kernel=$work/kernel     # the kernel with its modules
static=$work/static     # a static busybox for the initramfs

fetch_packages() {
  mkdir -p "$downloads/partial"
  # shellcheck disable=SC2086 # lists of words
  download_closure $packages || { refresh_lists; download_closure $packages; } || fail "the packages cannot be downloaded"
  download_alone busybox-static $(kernel_packages)

  local archive
  rm -rf "$unpacked" "$kernel" "$static"
  while read -r archive; do unpack "$archive" "$unpacked"; done <"$work/closure"
  for archive in $(kernel_packages); do unpack "$(newest "$archive")" "$kernel"; done
  unpack "$(newest busybox-static)" "$static"
  kernel_version=$(ls "$kernel/usr/lib/modules")
}

# With an empty record of what is installed, apt names and fetches the whole closure; it names only what it would fetch,
# so it is asked beside an empty folder first.
download_closure() {
  local options=(-qq --yes -o Dir::State::status=/dev/null -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Install-Recommends=false)
  mkdir -p "$work/empty/partial"
  apt-get "${options[@]}" -o Dir::Cache::archives="$work/empty" --print-uris install "$@" 2>"$work/apt.log" | cut -d' ' -f2 | sed "s|^|$downloads/|" >"$work/closure"
  [ -s "$work/closure" ] && apt-get "${options[@]}" -o Dir::Cache::archives="$downloads" --download-only install "$@" >>"$work/apt.log" 2>&1
}

download_alone() {
  (cd "$downloads" && apt-get -qq -o APT::Sandbox::User=root download "$@") >>"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; fail "cannot download: $*"; }
}

refresh_lists() { apt-get -qq update >>"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; fail "apt-get update failed"; }; }

# Debian calls its virtual-machine kernel "cloud" and packs the modules with it; Ubuntu calls it "virtual" and does not.
kernel_packages() {
  local name
  for name in linux-image-cloud-amd64 linux-image-virtual; do
    name=$(apt-cache depends "$name" 2>/dev/null | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
    [ -n "$name" ] || continue
    echo "$name"
    case $name in *-generic) echo "${name/image/modules}" ;; esac
    return
  done
  fail "the distribution offers neither linux-image-cloud-amd64 nor linux-image-virtual"
}

newest() { find "$downloads" -maxdepth 1 -name "$1_*.deb" | sort -V | tail -n 1; }

# Older packages still have files in /bin, newer ones in /usr/bin only: with the merged layout all are found in /usr.
unpack() {
  if [ ! -d "$2" ]; then
    mkdir -p "$2"/usr/{bin,sbin,lib,lib64}
    ln -s usr/bin usr/sbin usr/lib usr/lib64 "$2"
  fi
  dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"
}

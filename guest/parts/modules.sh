# SPDX-License-Identifier: Apache-2.0
# Kernel modules with those that they need. Distributions compress them differently, and busybox reads none of the ways:
# they lie uncompressed in the guest, where the image's own compression catches them.

add_modules() {
  local module
  depmod -b "$kernel" "$kernel_version"
  # shellcheck disable=SC2086 # a list of words
  module_files $modules | while read -r module; do plain_module "$module" "$tree${module#"$kernel"}"; done
  cp "$kernel/usr/lib/modules/$kernel_version"/modules.{order,builtin,builtin.modinfo} "$tree/usr/lib/modules/$kernel_version/"
  depmod -b "$tree" "$kernel_version"
}

# module_files NAME...: paths, each after those that it needs. One that is built in, or that this kernel lacks, has none.
module_files() {
  local name
  for name in "$@"; do
    modprobe --dirname "$kernel" --set-version "$kernel_version" --show-depends "$name" 2>/dev/null || true
  done | awk '$1 == "insmod" { print $2 }' | awk '!seen[$0]++'
}

plain_module() {
  local target=${2%.xz}
  target=${target%.zst}
  mkdir -p "$(dirname "$target")"
  case $1 in
    *.xz) xz --decompress --stdout "$1" >"$target" ;;
    *.zst) zstd --quiet --decompress --stdout "$1" >"$target" ;;
    *) cp "$1" "$target" ;;
  esac
}

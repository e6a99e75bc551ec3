# SPDX-License-Identifier: Apache-2.0
# The disk: one partition with ext4, the boot loader, then a compressed qcow2.

make_disk() {
  local raw=$work/disk.raw start=$((1024 * 1024))
  rm -f "$raw"
  truncate --size $(((disk_megabytes + 1) * 1024 * 1024)) "$raw"
  printf 'label: dos\nstart=2048, type=83, bootable\n' | sfdisk --quiet "$raw"
  dd if="$unpacked/usr/lib/syslinux/mbr/mbr.bin" of="$raw" bs=440 count=1 conv=notrunc status=none
  cp "$unpacked/usr/lib/syslinux/modules/bios/ldlinux.c32" "$tree/boot/extlinux/"

  # extlinux reads neither 64-bit block numbers nor checksummed metadata; orphan_file is unknown to older mke2fs.
  local features=^64bit,^metadata_csum
  ! grep -q orphan_file /etc/mke2fs.conf || features=$features,^orphan_file
  mkfs.ext4 -q -F -b 4096 -L guestroot -O $features -m 0 -J size=4 -N 8192 -E offset=$start -d "$tree" "$raw" ${disk_megabytes}m
  install_boot_loader "$raw" $start

  # By another name first: the image appears whole, and machines that run from an older one keep their inode.
  qemu-img convert -c -O qcow2 "$raw" "$out.part"
  mv "$out.part" "$out"
}

# extlinux writes into a mounted file system. The mount lives in a namespace of its own and the loop device frees itself,
# so that a build that is killed leaves neither behind.
install_boot_loader() {
  mkdir -p "$work/mounted"
  unshare --mount --propagation private bash -euo pipefail -c '
    image=$1 offset=$2 place=$3
    shift 3
    mount -o loop,offset="$offset" "$image" "$place"
    "$@" --install "$place/boot/extlinux" 2>"$place.log" || { cat "$place.log" >&2; exit 1; }
    umount "$place"
  ' _ "$1" "$2" "$work/mounted" "${guest_loader[@]}" "$(find_program extlinux)" || fail "the boot loader could not be installed"
}

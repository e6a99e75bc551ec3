# SPDX-License-Identifier: Apache-2.0
# The initramfs: loads the disk drivers, grows the root partition to the disk that it was given, and mounts it.
#
# Its busybox is static. The root file system has the dynamic one, because the static one's shell prefers its own applets
# to the real ip, ping and nc in PATH.

make_initramfs() {
  local init=$work/initramfs name count=0 module
  rm -rf "$init"
  mkdir -p "$init"/{dev,new,proc,sys,drivers} "$init"/usr/{bin,lib,lib64}
  ln -s usr/bin usr/lib usr/lib64 "$init"
  cp "$static/usr/bin/busybox" "$init/usr/bin/"
  for name in sh mount insmod switch_root sleep findfs cat ls; do ln -s busybox "$init/usr/bin/$name"; done
  cp "$tree/usr/sbin/sfdisk" "$init/usr/bin/"
  cp "$tree/usr/lib64/ld-linux-x86-64.so.2" "$init/usr/lib64/"
  add_libraries "$init/usr/bin/sfdisk" "$init"
  # shellcheck disable=SC2086 # a list of words
  for module in $(module_files $initramfs_modules); do
    count=$((count + 1))
    plain_module "$module" "$init/drivers/$(printf %02d $count).ko"
  done
  cp "$here/initramfs/init" "$init/init"
  (cd "$init" && find . -print0 | sort -z | cpio --null --create --format newc --owner 0:0 --quiet) | gzip -n1 >"$tree/boot/initrd.img"
  cp "$kernel/boot/vmlinuz-$kernel_version" "$tree/boot/vmlinuz"
}

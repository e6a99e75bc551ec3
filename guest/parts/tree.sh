# SPDX-License-Identifier: Apache-2.0
# The root file system: programs with the libraries they need, busybox for the rest, and the files of ../root.

tree=$work/tree

# Runs a program of the guest on this host, with the guest's libraries.
guest_loader=("$tree/usr/lib64/ld-linux-x86-64.so.2" --library-path "$tree/usr/lib/$architecture")

make_tree() {
  rm -rf "$tree"
  mkdir -p "$tree"/{boot/extlinux,dev,etc/dropbear,home/cirros/.ssh,mnt,proc,root,run,sys,tmp,var/lib/cloud,var/log,var/tmp} "$tree"/usr/{bin,sbin,lib64}
  mkdir -p "$tree/usr/lib/$architecture/security" "$tree/usr/lib/modules"
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$tree"
  ln -s ../run "$tree/var/run"
  ln -s ../run/lock "$tree/var/lock"

  cp -L "$(find_unpacked ld-linux-x86-64.so.2)" "$tree/usr/lib64/"
  local program file
  for program in $programs busybox; do
    file=$(find_program "$program")
    cp -L "$file" "$tree${file#"$unpacked"}"
    add_libraries "$file" "$tree"
  done
  add_plugins
  find "$tree" -name '*.so*' -type f -exec strip --strip-unneeded {} + 2>/dev/null || true

  local kind
  for kind in ext2 ext3 ext4; do ln -s mke2fs "$tree/usr/sbin/mkfs.$kind"; done
  ln -s nc.openbsd "$tree/usr/bin/nc"
  cp "$unpacked/etc/mke2fs.conf" "$tree/etc/"
  link_applets
  cp -r "$here/root/." "$tree/"
  settle_owners_and_modes
}

find_unpacked() { find "$unpacked/usr" \( -type f -o -type l \) -name "$1" | head -n 1; }

find_program() {
  local file
  file=$(find "$unpacked"/usr/{bin,sbin} -name "$1" | head -n 1)
  [ -n "$file" ] || fail "no package has the program $1"
  echo "$file"
}

# Copies what an ELF file needs, and what that needs, into a tree.
add_libraries() {
  local library file
  for library in $(objdump -p "$1" | awk '/NEEDED/ { print $2 }'); do
    [ ! -e "$2/usr/lib/$architecture/$library" ] || continue
    file=$(find_unpacked "$library")
    [ -n "$file" ] || fail "no package has $library, which ${1##*/} needs"
    mkdir -p "$2/usr/lib/$architecture"
    cp -L "$file" "$2/usr/lib/$architecture/"
    add_libraries "$file" "$2"
  done
}

# What is loaded by name and so is in no list of needed libraries.
add_plugins() {
  local name file
  for name in pam_permit.so pam_deny.so; do
    file=$(find_unpacked $name)
    cp "$file" "$tree/usr/lib/$architecture/security/"
    add_libraries "$file" "$tree"
  done
  file=$(find_unpacked sudoers.so)
  name=$(dirname "${file#"$unpacked"}")
  mkdir -p "$tree$name"
  cp -P "$unpacked$name"/*.so* "$tree$name/"
  for file in "$tree$name"/*.so*; do add_libraries "$file" "$tree"; done
  for name in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do
    file=$(find_unpacked $name)
    [ -z "$file" ] || cp -L "$file" "$tree/usr/lib/$architecture/"
  done
}

# The dynamic busybox asks itself which applets it has; real programs keep their names.
link_applets() {
  local applet name
  for applet in $("${guest_loader[@]}" "$tree/usr/bin/busybox" --list-full); do
    name=${applet##*/}
    case $name in rpm* | dpkg* | linuxrc | busybox) continue ;; esac
    [ -z "$(find "$tree"/usr/bin "$tree"/usr/sbin -name "$name" | head -n 1)" ] || continue
    case $applet in *sbin/*) ln -s ../bin/busybox "$tree/usr/sbin/$name" ;; *) ln -s busybox "$tree/usr/bin/$name" ;; esac
  done
  for name in bin/sh sbin/init; do [ -e "$tree/usr/$name" ] || ln -s ../bin/busybox "$tree/usr/$name"; done
}

settle_owners_and_modes() {
  chown -R 0:0 "$tree"
  chown -R 1000:1000 "$tree/home/cirros"
  chmod 1777 "$tree/tmp" "$tree/var/tmp"
  chmod 700 "$tree/root" "$tree/var/lib/cloud" "$tree/home/cirros/.ssh"
  chmod 600 "$tree/etc/shadow"
  chmod 440 "$tree/etc/sudoers"
  chmod 4755 "$tree/usr/bin/sudo" "$tree/usr/bin/ping"
}

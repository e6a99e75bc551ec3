# SPDX-License-Identifier: Apache-2.0
# What is in the guest. Libraries are not listed: those that the programs need are found and taken along.

packages="busybox dropbear-bin mount util-linux e2fsprogs fdisk sudo libpam-modules jq iproute2 curl iperf3
  iputils-ping netcat-openbsd extlinux syslinux-common"

# Applets of busybox serve for everything else.
programs="dropbear dropbearkey dbclient mke2fs resize2fs e2fsck tune2fs lsblk mount umount blkid findmnt sfdisk
  sudo jq curl iperf3 ip ping nc.openbsd"

modules="virtio_pci virtio_blk virtio_net virtio_scsi sd_mod sr_mod virtio_balloon virtio_rng virtio_console isofs vfat
  nls_cp437 nls_ascii nls_iso8859-1 nls_utf8 8021q button evdev ahci loop xfs qemu_fw_cfg af_packet i6300esb"

# Without these the root file system is not found.
initramfs_modules="virtio_pci virtio_blk virtio_scsi sd_mod"

disk_megabytes=112
architecture=x86_64-linux-gnu

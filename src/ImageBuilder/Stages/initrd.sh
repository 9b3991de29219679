# Builds the initrd with the base tree's own dracut, and copies the kernel out. BASE, OUT, DRIVERS, INCLUDE (folder).
tree="$WORK/tree"
overlay_mount "$tree" "$WORK/upper" "$BASE"
mount_api "$tree"

set -- "$tree"/boot/vmlinuz-*
[ -e "$1" ] || { echo "NO-KERNEL"; exit 1; }
[ $# -eq 1 ] || { echo "SEVERAL-KERNELS: $*"; exit 1; }
version=${1##*/vmlinuz-}

# An empty configuration and our own list of modules: what is in the initrd depends on nothing else.
rm -rf "$tree/etc/dracut.conf.d" "$tree/usr/lib/dracut/dracut.conf.d"
mkdir -p "$tree/tmp/include"
cp -r --no-preserve=ownership "$INCLUDE/." "$tree/tmp/include"
chmod -R u=rwX,go=rX "$tree/tmp/include"
# A driver may be built into one kernel and a module of another: ask only for those that are files. A folder is all in it.
present=
for driver in $DRIVERS; do
    if [ -d "$tree/usr/lib/modules/$version/kernel/$driver" ]; then present="$present =$driver"
    elif chroot "$tree" modinfo -k "$version" "$driver" >/dev/null 2>&1; then present="$present $driver"; fi
done
# Not compressed: one changed byte of a compressed initrd is a new initrd for every kind of delta; the bundle compresses it
# for those who fetch all of it (docs/decisions/001-image-for-small-deltas.md).
chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
    dracut --force --no-hostonly --no-hostonly-cmdline --reproducible --no-compress \
    --modules "systemd systemd-initrd dracut-systemd base fs-lib udev-rules systemd-veritysetup kernel-modules" \
    --drivers "$present" --filesystems "erofs ext4 vfat" \
    --install "e2fsck fsck.ext4 fsck systemd-id128 mount umount mkdir cp mv rm chmod grep sync tr readlink udevadm systemctl" \
    --include /tmp/include / \
    --tmpdir /tmp /tmp/initrd "$version"
cp "$tree/tmp/initrd" "$OUT/initrd"
cp "$tree/boot/vmlinuz-$version" "$OUT/vmlinuz"
chmod 0644 "$OUT/initrd" "$OUT/vmlinuz"
printf '%s\n' "$version" > "$OUT/kernel-version"

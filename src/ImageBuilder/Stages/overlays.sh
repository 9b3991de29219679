# Turns the base tree into the root: what only builds need is taken away, the overlays are laid over it in order,
# and everything the definition says is put in place. The difference to the base tree ends up in $OUT/upper.
# BASE, OUT, OVERLAYS (folders, one a line), BUILD_ONLY and REMOVE (packages, one a line), ENABLE and DISABLE (units),
# USERS (folder with one file per user's password hash), FILES (lines "source<TAB>target<TAB>mode"), MODULES (folder of kernel
# modules for the image's kernel, loaded at start; may be empty), LOCALE, TIME_ZONE.
tree="$WORK/tree"
overlay_mount "$tree" "$OUT/upper" "$BASE"
for folder in proc dev sys run tmp; do rm -rf "${tree:?}/$folder"; mkdir "$tree/$folder"; done
chmod 1777 "$tree/tmp"

# The files of a package that no other remaining package ships, without running its scripts: nothing is left to configure.
installed() { [ -e "$tree/var/lib/dpkg/info/$1.list" ] || ls "$tree/var/lib/dpkg/info/$1":*.list >/dev/null 2>&1; }
lists_of() { for name in $1; do cat "$tree/var/lib/dpkg/info/$name.list" "$tree/var/lib/dpkg/info/$name":*.list 2>/dev/null || true; done; }
for name in $REMOVE; do
    installed "$name" || { echo "NOT-INSTALLED: $name"; exit 1; }
done
gone=
for name in $BUILD_ONLY $REMOVE; do if installed "$name"; then gone="$gone $name"; fi; done
if [ -n "$gone" ]; then
    echo "removing$gone"
    lists_of "$gone" | sort -u > "$WORK/candidates"
    for list in "$tree"/var/lib/dpkg/info/*.list; do
        name=$(basename "$list" .list); name=${name%%:*}
        case " $gone " in *" $name "*) ;; *) cat "$list" ;; esac
    done | sort -u > "$WORK/kept"
    # Files first, then the folders they leave empty, deepest first.
    comm -23 "$WORK/candidates" "$WORK/kept" | sort -r | while IFS= read -r path; do
        if [ -d "$tree$path" ] && [ ! -L "$tree$path" ]; then rmdir "$tree$path" 2>/dev/null || true; else rm -f "$tree$path"; fi
    done
fi

printf '%s\n' "$OVERLAYS" | while IFS= read -r overlay; do
    [ -z "$overlay" ] && continue
    echo "overlay $overlay"
    # Owner root, modes from the executable bit alone: git keeps no more, and the umask of a checkout must not matter.
    tar -C "$overlay" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf - . \
        | tar -C "$tree" --keep-directory-symlink --no-overwrite-dir -xpf -
done
printf '%s\n' "$FILES" | while IFS='	' read -r source target mode; do
    [ -z "$source" ] && continue
    mkdir -p "$tree$(dirname "$target")"
    install -m "$mode" "$source" "$tree$target"
done

for module in ${MODULES:+"$MODULES"/*.ko}; do
    name=$(basename "$module" .ko)
    version=$(basename "$tree"/usr/lib/modules/*)
    echo "kernel module $name"
    install -D -m 0644 "$module" "$tree/usr/lib/modules/$version/updates/$name.ko"
    chroot "$tree" depmod "$version"
    install -d "$tree/usr/lib/modules-load.d"
    echo "$name" > "$tree/usr/lib/modules-load.d/$name.conf"
done

chroot "$tree" systemd-sysusers
for hash in "$USERS"/*; do
    [ -e "$hash" ] || continue
    chroot "$tree" usermod -p "$(cat "$hash")" "$(basename "$hash")"
done

[ -e "$tree/usr/share/zoneinfo/$TIME_ZONE" ] || { echo "NO-TIME-ZONE: $TIME_ZONE"; exit 1; }
# The initrd says which one holds: this, or what the device was told (docs/provisioning.md).
mkdir -p "$tree/usr/lib/appliance"
ln -sfn "/usr/share/zoneinfo/$TIME_ZONE" "$tree/usr/lib/appliance/localtime"
ln -sfn /run/appliance/localtime "$tree/etc/localtime"
case "$LOCALE" in
    C|C.UTF-8|POSIX) ;;
    *) chroot "$tree" localedef -i "${LOCALE%%.*}" -f "${LOCALE#*.}" "$LOCALE" || { echo "NO-LOCALE: $LOCALE"; exit 1; } ;;
esac

for unit in $DISABLE; do
    chroot "$tree" systemctl --root=/ mask "$unit"
done
# A unit counts, not the script of System V that a package may have beside it: what systemctl calls for those is a build-time tool.
for unit in $ENABLE; do
    chroot "$tree" systemctl --root=/ cat "$unit" >/dev/null 2>&1 || [ -e "$tree/usr/lib/systemd/system/$unit" ] || { echo "NO-UNIT: $unit"; exit 1; }
    SYSTEMCTL_SKIP_SYSV=1 chroot "$tree" systemctl --root=/ enable "$unit"
done

# Nothing of this machine or this minute: caches, logs, identities, back-up files.
rm -rf "$tree"/var/cache/* "$tree"/var/log/* "$tree"/var/tmp/* "$tree"/var/backups "$tree"/boot/* "$tree"/root/.[a-z]* "$tree"/var/lib/systemd/random-seed "$tree"/var/lib/systemd/credential.secret
rm -f "$tree"/etc/*- "$tree"/etc/.pwd.lock "$tree"/etc/hostname.dpkg* "$tree"/var/lib/dbus/machine-id "$tree"/etc/apt/apt.conf.d/99mmdebstrap \
      "$tree"/vmlinuz* "$tree"/initrd.img* "$tree"/.dockerenv
# The kernel is on the boot partition. A device tree comes from the firmware, and a Raspberry Pi's and its firmware are there, too.
rm -rf "$tree"/usr/lib/modules/*/vmlinuz "$tree"/usr/lib/modules/*/System.map "$tree"/usr/lib/modules/*/config \
       "$tree"/usr/lib/linux-image-* "$tree"/usr/lib/modules/*/dtb "$tree"/usr/lib/raspi-firmware "$tree"/etc/kernel/postinst.d/z50-raspi-firmware
find "$tree/usr" "$tree/etc" \( -name '__pycache__' -o -name '*.dpkg-old' -o -name '*.dpkg-dist' \) -prune -exec rm -rf {} +
if [ "$KEEP_PACKAGE_MANAGER" = no ]; then
    rm -rf "$tree"/var/lib/dpkg "$tree"/var/lib/apt "$tree"/etc/apt "$tree"/etc/dpkg "$tree"/usr/share/debconf "$tree"/var/lib/ucf
    # Timers of programs that are not there any more, or have no place on an image.
    rm -f "$tree"/usr/lib/systemd/system/timers.target.wants/dpkg-db-backup.timer "$tree"/usr/lib/systemd/system/apt-daily* "$tree"/etc/systemd/system/timers.target.wants/apt-daily* \
          "$tree"/etc/systemd/system/timers.target.wants/dpkg-db-backup.timer "$tree"/usr/lib/systemd/system/dpkg-db-backup.*
fi
rm -f "$tree"/etc/systemd/system/timers.target.wants/e2scrub_all.timer "$tree"/etc/systemd/system/multi-user.target.wants/e2scrub_reap.service

# PID 1 takes this word for "not given yet"; the initrd binds the device's own file over it (image/initrd).
printf 'uninitialized\n' > "$tree/etc/machine-id"
chmod 0444 "$tree/etc/machine-id"
ln -sfn /run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"

# /var is the data partition, empty on a new device: what packages left there becomes tmpfiles lines and factory files.
# (tmpfiles takes the first line it meets for a path, in the order of file names: the packages' own lines win over ours.)
factory="$tree/usr/share/factory/var"
mkdir -p "$factory" "$tree/usr/lib/tmpfiles.d"
(
    cd "$tree/var"
    find . -mindepth 1 -type d -printf 'd /var/%P %m %U %G -\n' | LC_ALL=C sort
    find . -mindepth 1 -type l -printf 'L /var/%P - - - - %l\n' | LC_ALL=C sort
    find . -mindepth 1 -type f -printf 'C /var/%P %m %U %G - /usr/share/factory/var/%P\n' | LC_ALL=C sort
) > "$WORK/var.conf"
(cd "$tree/var" && find . -mindepth 1 -type f -print0 | tar --null -T - -cf - | tar -C "$factory" -xpf -)
install -m 0644 "$WORK/var.conf" "$tree/usr/lib/tmpfiles.d/zz-appliance-var.conf"
rm -rf "${tree:?}/var"; mkdir "$tree/var"
# systemd mounts the ESP at an empty /boot (systemd-gpt-auto-generator(8)).
for folder in boot efi home mnt opt srv media proc sys dev run; do mkdir -p "$tree/$folder"; done
du -s --apparent-size -B1 "$tree" 2>/dev/null | cut -f1 > "$OUT/size"

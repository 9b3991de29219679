# Makes a Debian tree in $OUT/tree, with dpkg's status and apt's lists beside it for the lock file and the SBOM.
# SUITE, ARCHITECTURES (comma list, the tree's own first), PACKAGES and AREAS (comma lists), MIRRORS and MODULES_EXCLUDE (one a line, may be
# empty), BACKPORTS (names and patterns, apt_preferences(5), separated by spaces; may be empty).

# A tree that a power cut damages is built again, so dpkg need not sync every file.
# Kernel and boot loader hooks have nothing to do in a build tree: the initrd, the UKI and the ESP are stages of their own.
# (dracut's package trigger and raspi-firmware's script call their hooks by name, so those are there and do nothing.)
hooks=dracut
case ",$PACKAGES," in *,raspi-firmware,*) hooks="$hooks z50-raspi-firmware" ;; esac
set -- --mode=root --variant=apt --format=directory --architectures="$ARCHITECTURES" --components="$AREAS" \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/bash-completion/*' \
    --dpkgopt='path-exclude=/usr/share/zsh/*' \
    --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --dpkgopt='path-exclude=/etc/kernel/postinst.d/*' \
    --dpkgopt='path-exclude=/etc/kernel/postrm.d/*' \
    --dpkgopt='path-exclude=/etc/initramfs/post-update.d/*' \
    --include="$PACKAGES" \
    --essential-hook="mkdir -p \"\$1/etc/kernel/postinst.d\" && cd \"\$1/etc/kernel/postinst.d\" && for hook in $hooks; do printf '#!/bin/sh\\n' > \$hook && chmod 755 \$hook; done" \
    --customize-hook="mkdir -p '$OUT/lists' && cp \"\$1\"/var/lib/apt/lists/*_Packages \"\$1\"/var/lib/apt/lists/*InRelease '$OUT/lists/'" \
    --customize-hook="cp \"\$1/var/lib/dpkg/status\" '$OUT/status'"
if [ "${KEEP_TRANSLATIONS:-no}" = no ]; then
    set -- "$@" --dpkgopt='path-exclude=/usr/share/locale/*'
fi
if [ -n "$BACKPORTS" ]; then
    # They come from where the suite itself comes from, of several sources the first; nothing but what is named is taken from there.
    set -- "$@" --setup-hook="cd \"\$1/etc/apt\" \\
        && cat sources.list sources.list.d/*.list 2>/dev/null | sed -n -E 's/^(deb +(\[[^]]*\] +)?[^ ]+ +)$SUITE /\\1$SUITE-backports /p' | head -n 1 > sources.list.d/backports.list \\
        && { [ -s sources.list.d/backports.list ] || { echo 'NO-BACKPORTS: $SUITE' >&2; exit 1; }; } \\
        && printf 'Package: $BACKPORTS\\nPin: release n=$SUITE-backports\\nPin-Priority: 500\\n' > preferences.d/backports"
fi
set -- "$@" "$SUITE" "$OUT/tree"
old_ifs=$IFS
IFS='
'
for mirror in $MIRRORS; do set -- "$@" "$mirror"; done
IFS=$old_ifs
mmdebstrap "$@"

# mmdebstrap lends the tree this host's name and name servers, modes and all: they are no part of an image.
rm -f "$OUT/tree/etc/.resolv.conf.systemd-resolved.bak"
echo localhost > "$OUT/tree/etc/hostname"
[ -L "$OUT/tree/etc/resolv.conf" ] || [ ! -e "$OUT/tree/etc/resolv.conf" ] || chmod 644 "$OUT/tree/etc/resolv.conf"
chmod 644 "$OUT/tree/etc/hostname"

for folder in mnt proc dev sys tmp run efi; do mkdir -p "$OUT/tree/$folder"; done

# Without root the tree has no device nodes, and xargs wants /dev/null.
mount --rbind /dev "$OUT/tree/dev"
# Modules are stored unpacked: their compressed form ruins every delta (docs/architecture.md).
for modules in "$OUT"/tree/usr/lib/modules/*; do
    [ -d "$modules/kernel" ] || continue
    echo "unpacking the kernel modules of $(basename "$modules")"
    printf '%s\n' "$MODULES_EXCLUDE" | while IFS= read -r excluded; do
        [ -z "$excluded" ] || rm -rf "$modules/kernel/${excluded:?}"
    done
    inside="/usr/lib/modules/$(basename "$modules")"
    chroot "$OUT/tree" sh -c "find '$inside' -name '*.ko.xz' -print0 | xargs -0 -r -P 2 -n 64 xz -d"
    chroot "$OUT/tree" depmod "$(basename "$modules")"
done
umount --lazy "$OUT/tree/dev"

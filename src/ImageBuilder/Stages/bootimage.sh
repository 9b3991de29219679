# What a Raspberry Pi's firmware loads of a slot, as one FAT image without a partition table. BASE, OUT, KERNEL (folder),
# COMMAND_LINE, VOLUME_ID.
prepare_tools
bind_into_tools out "$OUT"
bind_into_tools kernel "$KERNEL"
version=$(cat "$KERNEL/kernel-version")
firmware="$BASE/usr/lib/raspi-firmware"
trees="$BASE/usr/lib/linux-image-$version/broadcom"
[ -e "$trees" ] || trees="$BASE/usr/lib/modules/$version/dtb/broadcom"
[ -e "$firmware/start4.elf" ] || { echo "NO-FIRMWARE"; exit 1; }
ls "$trees"/bcm2711-rpi-*.dtb >/dev/null 2>&1 || { echo "NO-DEVICE-TREE: $version"; exit 1; }

staging="$TOOLS/tmp/boot"
mkdir -p "$staging/overlays"
# A Raspberry Pi 4's GPU firmware; a Raspberry Pi 5 has its own in the boot loader.
cp "$firmware/start4.elf" "$firmware/fixup4.dat" "$staging/"
cp "$firmware"/overlays/* "$staging/overlays/"
cp "$trees"/bcm2711-rpi-*.dtb "$staging/"
cp "$trees"/bcm2712*-rpi-*.dtb "$staging/" 2>/dev/null || true
# A Raspberry Pi 5 of the later stepping, D0, gets the tree of the first from its firmware, with the overlay bcm2712d0 over it: here
# that is what the kernel's own two trees differ in. The firmware package's, if it has one, is for another kernel's names.
if [ -e "$staging/bcm2712-d-rpi-5-b.dtb" ]; then
    for stepping in bcm2712-rpi-5-b bcm2712-d-rpi-5-b; do
        tools dtc -q -s -I dtb -O dts -o "/tmp/$stepping.dts" "/tmp/boot/$stepping.dtb"
    done
    # (dtc itself would read the \0 that it writes before a digit as another character.)
    awk '
        { sub(/^[ \t]+/, "") }
        / \{$/ { name = $0; sub(/ \{$/, "", name); sub(/^.*: /, "", name); depth++; path[depth] = depth == 1 ? "" : path[depth - 1] "/" name; next }
        /^\};$/ { depth--; next }
        depth == 0 || !/;$/ { next }
        FNR == NR { first[path[depth], $0]; next }
        !((path[depth], $0) in first) { if (!(path[depth] in new)) order[++count] = path[depth]; gsub(/\\0/, "\\000"); new[path[depth]] = new[path[depth]] "\n" $0 }
        END {
            print "/dts-v1/;\n/ {\ncompatible = \"brcm,bcm2712\";"
            for (i = 1; i <= count; i++) printf "fragment@%d {\ntarget-path = \"%s\";\n__overlay__ {%s\n};\n};\n", i - 1, order[i] == "" ? "/" : order[i], new[order[i]]
            print "};"
        }' "$TOOLS/tmp/bcm2712-rpi-5-b.dts" "$TOOLS/tmp/bcm2712-d-rpi-5-b.dts" > "$TOOLS/tmp/overlay.dts"
    tools dtc -q -I dts -O dtb -o /tmp/boot/overlays/bcm2712d0.dtbo /tmp/overlay.dts
    tools fdtoverlay -i /tmp/boot/bcm2712-rpi-5-b.dtb -o /tmp/merged.dtb /tmp/boot/overlays/bcm2712d0.dtbo
    tools dtc -q -s -I dtb -O dts -o /tmp/merged.dts /tmp/merged.dtb
    cmp "$TOOLS/tmp/merged.dts" "$TOOLS/tmp/bcm2712-d-rpi-5-b.dts" || { echo "NO-STEPPING: $version"; exit 1; }
fi
cp "$KERNEL/vmlinuz" "$staging/vmlinuz"
# Compressed, other than a UKI's: the firmware takes no more than 96 MB, and has had trouble with large initrds.
tools zstd --quiet -15 --single-thread /mnt/kernel/initrd -o /tmp/boot/initrd
printf '%s\n' "$COMMAND_LINE" > "$staging/cmdline.txt"
cat > "$staging/config.txt" <<'CONFIG'
arm_64bit=1
enable_uart=1
upstream_kernel=1
kernel=vmlinuz
initramfs initrd followkernel
[cm4]
device_tree=bcm2711-rpi-cm4-io.dtb
[all]
CONFIG
chmod -R u=rwX,go=rX "$staging"
find "$staging" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Each file takes whole clusters, and FAT32 has no fewer than 65525 of them.
mebibytes=$(du -s --apparent-size -B1M "$staging" | cut -f1)
mebibytes=$((mebibytes + mebibytes / 50 + 3))
[ "$mebibytes" -ge 40 ] || mebibytes=40
truncate -s "${mebibytes}M" "$OUT/boot.img"
tools mkfs.vfat --invariant -F 32 -s 1 -i "$VOLUME_ID" -n BOOT /mnt/out/boot.img >/dev/null
tools sh -c 'cd /tmp/boot && mcopy -s -m -Q -i /mnt/out/boot.img * ::'
touch --date="@$SOURCE_DATE_EPOCH" "$OUT/boot.img"

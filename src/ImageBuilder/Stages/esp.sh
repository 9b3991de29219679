# The EFI system partition, written without mounting it. UKI (file), OUT, SIZE (bytes), VOLUME_ID, ENTRY (file name), EFI_ARCH.
prepare_tools
bind_into_tools out "$OUT"
staging="$TOOLS/tmp/esp"
mkdir -p "$staging/EFI/BOOT" "$staging/EFI/systemd" "$staging/EFI/Linux" "$staging/loader"
boot=$(printf '%s' "$EFI_ARCH" | tr '[:lower:]' '[:upper:]')
cp "$TOOLS/usr/lib/systemd/boot/efi/systemd-boot$EFI_ARCH.efi" "$staging/EFI/BOOT/BOOT$boot.EFI"
cp "$TOOLS/usr/lib/systemd/boot/efi/systemd-boot$EFI_ARCH.efi" "$staging/EFI/systemd/"
cp "$UKI" "$staging/EFI/Linux/$ENTRY"
# No menu and no editing of kernel arguments at the console; hold a key at power-on to see the entries.
printf 'timeout 0\neditor no\n' > "$staging/loader/loader.conf"
printf 'type1\n' > "$staging/loader/entries.srel"
find "$staging" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
rm -f "$OUT/esp.img"
truncate -s "$SIZE" "$OUT/esp.img"
tools mkfs.vfat --invariant -F 32 -i "$VOLUME_ID" -n ESP /mnt/out/esp.img >/dev/null
cd "$staging"
tools sh -c 'cd /tmp/esp && mcopy -s -m -Q -i /mnt/out/esp.img EFI loader ::'

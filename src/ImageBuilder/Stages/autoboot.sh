# A Raspberry Pi's boot partitions: what chooses between the slots, slot A, and slot B, which is empty. OUT, BOOT_IMAGE (folder),
# PARTITIONS (lines "name size volume-id": autoboot, boot-a, boot-b).
prepare_tools
bind_into_tools out "$OUT"
bind_into_tools image "$BOOT_IMAGE"
staging="$TOOLS/tmp/parts"
mkdir -p "$staging/autoboot" "$staging/boot-a" "$staging/boot-b"
# boot_partition counts from 1; the supervisor writes this file anew when another version is kept (TrybootControl).
printf '[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n' > "$staging/autoboot/autoboot.txt"
for slot in boot-a boot-b; do printf 'boot_ramdisk=1\n' > "$staging/$slot/config.txt"; done
find "$staging" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
printf '%s' "$PARTITIONS" | while read -r name size volume; do
    truncate -s "$size" "$OUT/$name.img"
    # The firmware has read FAT12 for a few years only: small clusters keep the small one FAT16.
    case $name in autoboot) kind='-F 16 -s 4' ;; *) kind='-F 32' ;; esac
    tools mkfs.vfat --invariant $kind -i "$volume" -n "$(printf '%s' "$name" | tr '[:lower:]' '[:upper:]')" "/mnt/out/$name.img" >/dev/null
    tools sh -c "cd /tmp/parts/$name && mcopy -m -Q -i /mnt/out/$name.img * ::"
done
tools mcopy -m -Q -i /mnt/out/boot-a.img /mnt/image/boot.img ::

# The partition table (TABLE, an sfdisk script) on DISK_FOLDER/disk.img, an empty data file system in data.img, and in config.img the
# FAT file system that people put provision.yaml on. DATA_SIZE (bytes), DATA_UUID, CONFIG_SIZE (bytes), CONFIG_ID, README (file).
prepare_tools
bind_into_tools disk "$DISK_FOLDER"
cp "$TABLE" "$TOOLS/tmp/table"
tools sh -c 'sfdisk --quiet --no-reread --no-tell-kernel /mnt/disk/disk.img < /tmp/table'
truncate -s "$DATA_SIZE" "$DISK_FOLDER/data.img"
# The journal is zeros that were written, not a hole: on a disk that held this very image before, the blocks of its old journal would
# have the right UUID and sequence numbers, and a power cut could have them replayed. Inode tables are zeroed by the kernel.
tools env UNIX_IO_NOZEROOUT=1 mkfs.ext4 -q -F -b 4096 -I 256 -L data -U "$DATA_UUID" -m 1 \
    -E "hash_seed=$DATA_UUID,root_owner=0:0,lazy_itable_init=1,lazy_journal_init=0,nodiscard" /mnt/disk/data.img
truncate -s "$CONFIG_SIZE" "$DISK_FOLDER/config.img"
tools mkfs.vfat --invariant -F 16 -i "$CONFIG_ID" -n APPLIANCE /mnt/disk/config.img >/dev/null
cp "$README" "$TOOLS/tmp/README.txt"
touch --date="@$SOURCE_DATE_EPOCH" "$TOOLS/tmp/README.txt"
tools mcopy -m -Q -i /mnt/disk/config.img /tmp/README.txt ::

# DISK_FOLDER/disk.img as disk.img.zst.
prepare_tools
bind_into_tools disk "$DISK_FOLDER"
tools zstd -T0 -1 --quiet --force --sparse /mnt/disk/disk.img -o /mnt/disk/disk.img.zst

# The dm-verity hash tree beside the root file system; its root hash goes to $OUT/root-hash. ROOT (folder), OUT, UUID, SALT.
prepare_tools
bind_into_tools root "$ROOT"
bind_into_tools out "$OUT"
tools veritysetup format --hash=sha256 --data-block-size=4096 --hash-block-size=4096 --salt="$SALT" --uuid="$UUID" \
    --root-hash-file=/mnt/out/root-hash /mnt/root/root.erofs /mnt/out/root.verity

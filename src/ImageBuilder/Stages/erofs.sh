# The root file system: EROFS with nothing random in it. BASE, UPPER, OUT, UUID, COMPRESSION.
prepare_tools
tree="$TOOLS/tmp/root"
overlay_read "$tree" "$UPPER:$BASE"
bind_into_tools out "$OUT"
case "$COMPRESSION" in
    none)  set -- -E noinline_data ;;
    lz4hc) set -- -zlz4hc,9 -C65536 ;;
    zstd)  set -- -zzstd,level=15 -C65536 ;;
esac
tools mkfs.erofs --quiet "$@" -b4096 -T "$SOURCE_DATE_EPOCH" -U "$UUID" /mnt/out/root.erofs /tmp/root

# The peers that make a patch from one known version to another. Sourced by bench/delta.sh.

# OSTree ships files, not images: its best case, everything in the delta's one file and no file fetched whole. Not signed.
ostree() {
    begin "ostree static delta"
    setup "ostree --repo=served/srv init --mode=archive
        ostree --repo=served/srv commit -b image --tree=dir=/mnt/pair/oldtree --timestamp=@1
        ostree --repo=cl init --mode=bare
        ostree --repo=cl remote add --no-sign-verify --no-gpg-verify o $url/srv
        ostree --repo=cl pull-local --remote=o served/srv image
        ostree --repo=served/srv rev-parse image > old"
    server "ostree --repo=served/srv commit -b image --tree=dir=/mnt/pair/newtree --timestamp=@2
        ostree --repo=served/srv static-delta generate --inline --min-fallback-size=0 --max-chunk-size=1024 --from=\$(cat old) --to=image
        ostree --repo=served/srv summary -u"
    reset_count
    client "ostree --repo=cl pull --require-static-deltas o image"
    local requests bytes rest
    read -r requests bytes rest < <(counted)
    row "$bytes" "$requests"
}

# With the window everybody has, and with one that spans the image (the client then needs as much memory).
xdelta3() {
    local window name
    for window in 67108864 1073741824; do
        name="xdelta3 -9 lzma $((window >> 20))M"
        begin "$name"
        server "xdelta3 -q -f -e -9 -S lzma -B $window -s /mnt/pair/old.erofs /mnt/pair/new.erofs patch"
        client "xdelta3 -q -f -d -B $window -s /mnt/pair/old.erofs patch new && sync new && sha256sum new"
        same new
        row "$(size patch)"
    done
}

patch_from() {
    local level
    for level in 3 19; do
        begin "zstd --patch-from -$level"
        server "zstd -q -f -$level --long=31 --patch-from=/mnt/pair/old.erofs /mnt/pair/new.erofs -o patch"
        client "zstd -q -f -d --long=31 --patch-from=/mnt/pair/old.erofs patch -o new && sync new && sha256sum new"
        same new
        row "$(size patch)"
    done
}

# Its suffix array takes 16 bytes for each of the old image, and both images lie in memory.
bsdiff() {
    local need free
    begin "bsdiff"
    need=$((18 * $(stat -c %s "$pairs/$pair/old.erofs") / 1048576))
    free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
    if [ "$need" -gt $((free - 2048)) ]; then
        echo "needs $need MiB of memory" > "$work/last.log"
        fail "needs $need MiB"
    fi
    server "bsdiff /mnt/pair/old.erofs /mnt/pair/new.erofs patch"
    client "bspatch /mnt/pair/old.erofs new patch && sync new && sha256sum new"
    same new
    row "$(size patch)"
}

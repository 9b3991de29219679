# The peers that find what a device has already, whatever its version. Sourced by bench/delta.sh.

# RAUC 1.15's adaptive updates: hashes of 4 KiB blocks, and a verity bundle that the client reads through nbd. There is no
# nbd here, so the client's traffic is computed from the real bundle (bench/delta/rauc.py).
rauc() {
    local block
    for block in 128K 16K; do
        begin "rauc adaptive, squashfs $block"
        setup "openssl req -x509 -newkey rsa:4096 -nodes -subj /CN=bench -days 30 -keyout key.pem -out cert.pem
            rm -rf in out.raucb; mkdir in
            cp /mnt/pair/new.erofs in/rootfs.img
            printf '[update]\ncompatible=bench\nversion=2\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=rootfs.img\nadaptive=block-hash-index\n' > in/manifest.raucm"
        # -noI leaves the inode table readable; it is a few bytes.
        server "rauc --cert=cert.pem --key=key.pem bundle --mksquashfs-args='-comp zstd -b $block -noI' in out.raucb"
        [ -n "$failed" ] || python3 bench/delta/rauc.py "$run/out.raucb" "$pairs/$pair/old.erofs" "$pairs/$pair/new.erofs" > "$run/rauc" 2>"$work/last.log" || fail "did not run"
        computed; note="computed"
        row "$(cat "$run/rauc" 2>/dev/null)"
    done
}

casync() {
    local average
    for average in 65536 16384; do
        begin "casync $((average / 1024))K"
        server "casync make --chunk-size=$average --compression=zstd --store=served/store served/new.caibx /mnt/pair/new.erofs"
        reset_count
        client "casync extract --store=$url/store --seed=/mnt/pair/old.erofs $url/new.caibx new && sync new"
        same new
        local requests bytes rest
        read -r requests bytes rest < <(counted)
        row "$bytes" "$requests"
        clear_run
    done
}

desync() {
    local average
    for average in 64 16; do
        begin "desync ${average}K"
        # The index of the installed image is left from its own installation.
        setup "desync make -m $((average / 4)):$average:$((average * 4)) old.caibx /mnt/pair/old.erofs"
        server "mkdir -p served/store; desync make -m $((average / 4)):$average:$((average * 4)) -s served/store served/new.caibx /mnt/pair/new.erofs"
        reset_count
        client "desync extract -s $url/store --seed old.caibx:/mnt/pair/old.erofs $url/new.caibx new && sync new"
        same new
        local requests bytes rest
        read -r requests bytes rest < <(counted)
        row "$bytes" "$requests"
        clear_run
    done
}

# What swupdate's delta handler does: the header of the new file, then the ranges of the chunks that the old one lacks.
zchunk() {
    begin "zchunk (swupdate)"
    setup "zck -o old.zck /mnt/pair/old.erofs"
    server "zck -o served/new.zck /mnt/pair/new.erofs"
    reset_count
    client "mkdir -p got; cd got; zckdl -s ../old.zck $url/new.zck; unzck new.zck; sync new*"
    [ -n "$failed" ] || in_peers "cmp got/new /mnt/pair/new.erofs" >"$work/last.log" 2>&1 || fail "wrong result"
    local requests bytes rest
    read -r requests bytes rest < <(counted)
    row "$bytes" "$requests"
}

#!/usr/bin/env bash
# What an update costs, ours and every peer's, on the same pairs of root images: bench/delta.sh [PAIR…] (p3 p2 t3 k3s).
# Bytes are those of the answers' bodies that a counting web server sent, or of the files a client must have: signature,
# hashes, index and container are in. CPU is user + system seconds; a client's includes hashing the result and fsync.
# Rows are kept in out/bench/delta/results.tsv; PEERS="xdelta3 ours" measures these anew and leaves the other rows.
# Needs root, 20 GB of disk and, for all of it, about an hour. DELTA_PAIRS names a folder that has the pairs already.
set -euo pipefail
cd "$(dirname "$0")/.."
# In a namespace of its own no mount outlives the script.
[ "${DELTA_NAMESPACE:-}" = yes ] || exec env DELTA_NAMESPACE=yes unshare --mount --propagation private "$0" "$@"
work=${DELTA_WORK:-$PWD/out/bench/delta}
pairs=${DELTA_PAIRS:-$work/pairs}
results=${DELTA_RESULTS:-$work/results.tsv}
limit=${DELTA_LIMIT:-600}
mkdir -p "$work"
touch "$results"
[ $# -gt 0 ] || set -- p3 p2 t3 k3s
peers=${PEERS:-ostree xdelta3 rauc casync desync zchunk patch_from full bsdiff ours}

# The tools: erofs-utils of the suite our images have, and the newest released peers.
tools=$work/tools peer_tree=$work/peers
if [ ! -e "$tools/usr/bin/mkfs.erofs" ]; then
    rm -rf "$tools"
    mmdebstrap --quiet --variant=apt --include=erofs-utils trixie "$tools"
fi
if [ ! -e "$peer_tree/usr/bin/rauc" ]; then
    rm -rf "$peer_tree"
    # A mirror's copy of testing may be older than the days its signature is good for.
    mmdebstrap --quiet --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=rauc,openssl,squashfs-tools,ostree,casync,desync,zchunk,xdelta3,bsdiff,zstd,time \
        forky "$peer_tree" "$(awk '$1 == "deb" { print "deb", $2, "forky main"; exit }' "$tools/etc/apt/sources.list")"
fi
[ -n "${DELTA_PAIRS:-}" ] || bench/delta/pairs.sh "$pairs" "$tools"

run=$work/run served=$work/run/served
mkdir -p "$run" "$peer_tree/mnt/pair" "$peer_tree/mnt/run"
mount --rbind /dev "$peer_tree/dev"
mount -t proc proc "$peer_tree/proc"

rm -rf "$served"; mkdir -p "$served"
# What the server has lies in memory: a chunk store is tens of thousands of files, and making and removing them is not measured.
mount -t tmpfs -o size=6g tmpfs "$served"
mount --rbind "$run" "$peer_tree/mnt/run"
rm -f "$work/port"
python3 bench/delta/server.py "$served" "$work/port" "$work/requests.log" &
server_process=$!
trap 'kill $server_process 2>/dev/null || true' EXIT
until [ -s "$work/port" ]; do sleep 0.05; done
url=http://127.0.0.1:$(cat "$work/port")

# One technique: begin NAME, then any number of setup, server and client lines, then row BYTES [REQUESTS] [NOTE].
begin() { technique=$1 failed='' note='' server_cpu=0 server_rss=0 client_cpu=0 client_rss=0; echo "$pair: $technique" >&2; }
in_peers() { chroot "$peer_tree" sh -ec "cd /mnt/run; $1"; }
setup() { [ -n "$failed" ] || in_peers "$1" >"$work/last.log" 2>&1 || fail "did not run"; }
fail() { failed=$1; echo "    $1: $(tail -n 2 "$work/last.log" | tr '\n' ' ')" >&2; }
timed() { # SIDE COMMAND…: adds its CPU, and keeps the largest memory of one of its processes
    local side=$1 status=0 user system rss cpu
    shift
    [ -z "$failed" ] || return 0
    # The limit is of CPU, so that it means the same on a loaded machine.
    /usr/bin/time --quiet -o "$work/time" -f '%U %S %M' prlimit --cpu="$limit" "$@" >"$work/last.log" 2>&1 || status=$?
    if [ $status = 152 ] || [ $status = 137 ]; then fail "over $((limit / 60)) min"; return 0; fi
    if [ $status != 0 ]; then fail "did not run"; return 0; fi
    read -r user system rss < "$work/time"
    cpu=$(awk -v a="$user" -v b="$system" -v c="$([ "$side" = server ] && echo "$server_cpu" || echo "$client_cpu")" 'BEGIN { printf "%.2f", a + b + c }')
    if [ "$side" = server ]; then server_cpu=$cpu; [ "$rss" -le "$server_rss" ] || server_rss=$rss
    else client_cpu=$cpu; [ "$rss" -le "$client_rss" ] || client_rss=$rss; fi
}
server() { timed server chroot "$peer_tree" sh -ec "cd /mnt/run; $1"; }
client() { timed client chroot "$peer_tree" sh -ec "cd /mnt/run; $1"; }
reset_count() { curl -sf "$url/-/reset" >/dev/null; }
counted() { curl -sf "$url/-/sum"; } # requests, bytes of bodies, of answers' headers, of requests' headers
row() { # BYTES [REQUESTS]
    local line client_memory=-
    [ "$client_rss" = - ] || client_memory=$((client_rss / 1024))
    if [ -n "$failed" ]; then
        line=$(printf '%s\t%s\t-\t-\t-\t-\t-\t-\t%s' "$pair" "$technique" "$failed")
    else
        line=$(printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s' "$pair" "$technique" "$1" "${2:--}" "$server_cpu" $((server_rss / 1024)) "$client_cpu" "$client_memory" "$note")
    fi
    awk -F '\t' -v pair="$pair" -v technique="$technique" '!($1 == pair && $2 == technique)' "$results" > "$results.part"
    echo "$line" >> "$results.part"
    mv "$results.part" "$results"
    echo "    $line" >&2
}
computed() { client_cpu=- client_rss=-; } # for what was computed and not run
same() { # FILE: what a client made is the new image
    [ -n "$failed" ] || cmp -s "$run/$1" "$pairs/$pair/new.erofs" || { echo "the result differs" > "$work/last.log"; fail "wrong result"; }
}
size() { if [ -e "$run/$1" ]; then stat -c %s "$run/$1"; else echo 0; fi; }
clear_run() { find "$run" -mindepth 1 -maxdepth 1 ! -name served -exec rm -rf {} +; find "$served" -mindepth 1 -maxdepth 1 -exec rm -rf {} +; }

for part in patches chunks whole ours; do . "bench/delta/$part.sh"; done

echo "load before: $(cut -d' ' -f1-3 /proc/loadavg); $(nproc) processors" >&2
for pair in "$@"; do
    mount --bind "$pairs/$pair" "$peer_tree/mnt/pair"
    for peer in $peers; do
        clear_run
        "$peer"
    done
    clear_run
    umount "$peer_tree/mnt/pair"
done
for pair in "$@"; do
    echo
    awk -F '\t' -v pair="$pair" -f bench/delta/table.awk "$results"
done

#!/usr/bin/env bash
# Flashing: the default image to a loop device, ours against `bmaptool copy` and against dd of the whole image, which knows no map
# and verifies nothing.
# bench/flash.sh [FOLDER]: FOLDER has disk.img, disk.img.zst and disk.img.bmap, the newest of out/ when not named.
# bmaptool compares the image with its map and reads nothing back; ours does the same with --no-verify, and reads back without it.
# The device's file is allocated before each run, so that none pays for finding room; the image is in the page cache for all.
# Three rounds, taken in turns; medians. Needs root, bmap-tools, time, and 6 GiB of room.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:-$(find out -maxdepth 1 -name '*_*_*' -type d -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)}
appliance=${APPLIANCE:-out/bin/appliance}
work=$PWD/out/bench/flash
rounds=${ROUNDS:-3}
for tool in bmaptool losetup xz; do command -v $tool >/dev/null || { echo "$tool is missing: apt-get install bmap-tools util-linux xz-utils" >&2; exit 2; }; done
[ -f "$image/disk.img" ] || { echo "There is no disk.img in '$image': run ./build.sh first, or name a folder." >&2; exit 2; }
rm -rf "$work"; mkdir -p "$work"
device=
detach() { [ -z "$device" ] || losetup --detach "$device"; device=; }
trap 'detach; rm -f "$work/device"' EXIT

[ -e "$image/disk.img.xz" ] && xz=$image/disk.img.xz || { xz=$work/disk.img.xz; echo "compressing with xz" >&2; xz --stdout --threads=0 -1 "$image/disk.img" > "$xz"; }
size=$(stat -c %s "$image/disk.img")

measure() { # ROW COMMAND…, whose {} is the device
    local row=$1 start wall user system rss
    shift
    detach; rm -f "$work/device"
    fallocate -l "$size" "$work/device"; sync "$work/device"
    device=$(losetup --find --show "$work/device")
    start=$(date +%s%N)
    /usr/bin/time --quiet -o "$work/time" -f '%U %S %M' "${@/\{\}/$device}" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    wall=$(( ($(date +%s%N) - start) / 1000000 ))
    read -r user system rss < "$work/time"
    printf '%s\t%s\t%s\t%s\n' "$row" $wall "$(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }')" "$rss" >> "$work/rows"
}

cat "$image"/disk.img.zst "$xz" >/dev/null
cat "$image/disk.img" >/dev/null
for round in $(seq "$rounds"); do
    echo "round $round of $rounds, load $(cut -d' ' -f1 /proc/loadavg)" >&2
    measure "dd, the whole image" dd if="$image/disk.img" of={} bs=4M oflag=direct conv=fsync status=none
    measure "bmaptool .img" bmaptool -q copy --bmap "$image/disk.img.bmap" "$image/disk.img" {}
    measure "ours .img" "$appliance" flash "$image/disk.img" {} --yes --no-verify
    measure "bmaptool .img.zst" bmaptool -q copy --bmap "$image/disk.img.bmap" "$image/disk.img.zst" {}
    measure "ours .img.zst" "$appliance" flash "$image/disk.img.zst" {} --yes --no-verify
    measure "ours .img.zst, read back" "$appliance" flash "$image/disk.img.zst" {} --yes
    cmp "$image/disk.img" "$device"
    measure "bmaptool .img.xz" bmaptool -q copy --bmap "$image/disk.img.bmap" "$xz" {}
    measure "ours .img.xz" "$appliance" flash "$xz" {} --yes --no-verify --bmap "$image/disk.img.bmap"
done

echo "$(bmaptool --version), $((size >> 20)) MiB of image, $(($(sed -n 's/.*<MappedBlocksCount> *\([0-9]*\).*/\1/p' "$image/disk.img.bmap") / 256)) MiB of it mapped"
median() { awk -F'\t' -v who="$1" -v field="$2" '$1 == who { print $field }' "$work/rows" | sort -g | sed -n "$(( (rounds + 1) / 2 ))p"; }
printf '%-26s %8s %8s %9s %10s %12s %11s\n' "" "wall s" "CPU s" "RSS MiB" "wall / dd" "wall / bmap" "CPU / bmap"
for kind in "dd, the whole image" "bmaptool .img" "ours .img" "bmaptool .img.zst" "ours .img.zst" "ours .img.zst, read back" "bmaptool .img.xz" "ours .img.xz"; do
    peer="bmaptool $(sed 's/.* \.\(img[.a-z]*\).*/.\1/' <<< " $kind")"
    [ "$kind" != "dd, the whole image" ] || peer=$kind
    awk -v who="$kind" -v wall="$(median "$kind" 2)" -v cpu="$(median "$kind" 3)" -v rss="$(median "$kind" 4)" -v dd="$(median "dd, the whole image" 2)" -v peerwall="$(median "$peer" 2)" -v peercpu="$(median "$peer" 3)" \
        'BEGIN { printf "%-26s %8.2f %8.2f %9.1f %10.2f %12.2f %11.2f\n", who, wall / 1000, cpu, rss / 1024, wall / dd, wall / peerwall, cpu / (peercpu > 0 ? peercpu : 1) }'
done

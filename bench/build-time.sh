#!/usr/bin/env bash
# Cold and cached builds of equivalent images, ours and mkosi's, one after the other on this machine.
# Run ./build.sh once before. Needs root. Takes about ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/out/bench
mkdir -p "$work"
suite=trixie
packages=(linux-image-cloud-amd64 systemd systemd-sysv systemd-boot systemd-cryptsetup systemd-repart systemd-resolved systemd-timesyncd
    libpam-systemd libnss-myhostname dbus udev kmod util-linux e2fsprogs fdisk iproute2 ca-certificates tzdata netbase libssl3t64 zlib1g
    dracut zstd xz-utils podman crun conmon netavark aardvark-dns catatonit)

# The load of this machine is part of the story.
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg); $(nproc) processors"

measure() { # NAME COMMAND…: wall and CPU seconds of a command
    local name=$1 start end times
    shift
    start=$(date +%s.%N)
    { times=$( { TIMEFORMAT='%U %S'; time "$@" >"$work/$name.log" 2>&1; } 2>&1 ); } || { tail -n 20 "$work/$name.log" >&2; return 1; }
    end=$(date +%s.%N)
    awk -v n="$name" -v s="$start" -v e="$end" -v t="$times" 'BEGIN { split(t, c, " "); printf "%s %.1f %.1f\n", n, e - s, c[1] + c[2] }' | tee -a "$work/results"
}
rm -f "$work/results"

# The supervisor is published once before and given as a file: mkosi's image has none, so its time must not count.
supervisor=$(ls -td out/cache/supervisor-*/appliance-supervisor | head -n 1)
ours() { out/bin/appliance build "$1" --output "$work/ours" --cache "$work/ours-cache" --supervisor "$supervisor"; }
rm -rf "$work/ours" "$work/ours-cache"
# The tools mkosi runs with are installed before its time starts; ours makes its tools tree within the time measured.
measure ours-cold ours bench/equivalent.yaml
mkdir -p "$work/definition/extra/etc" && cp bench/equivalent.yaml "$work/definition/changed.yaml"
sed -i 's|overlays/supervisor\]|overlays/supervisor, extra]|' "$work/definition/changed.yaml"
date > "$work/definition/extra/etc/motd"
measure ours-overlay-change ours "$work/definition/changed.yaml"
measure ours-unchanged ours "$work/definition/changed.yaml"

# mkosi runs in a tree of the same suite; it refuses a plain chroot, so the tree becomes the root of a mount namespace.
tree=$work/mkosi-tree
if [ ! -e "$tree/usr/bin/mkosi" ]; then
    rm -rf "$tree"
    mmdebstrap --variant=apt --include=mkosi,systemd-ukify,systemd-boot,systemd-boot-efi,systemd-repart,erofs-utils,cryptsetup-bin,dosfstools,mtools,e2fsprogs,zstd,bubblewrap,cpio,kmod,uidmap,systemd-container,squashfs-tools,xz-utils \
        "$suite" "$tree" >"$work/mkosi-tree.log" 2>&1
fi
project=$tree/project
rm -rf "$project" && mkdir -p "$project/mkosi.repart" "$project/mkosi.sandbox/etc/apt/sources.list.d"
# Under this name, or mkosi adds its own list, with the debug archive in it.
awk '$1 == "deb" { printf "Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n", $2, $3, $4 }' \
    "$tree/etc/apt/sources.list" > "$project/mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"
{
    printf '[Distribution]\nDistribution=debian\nRelease=%s\n[Output]\nFormat=disk\nOutputDirectory=out\nCacheDirectory=cache\n' "$suite"
    printf '[Content]\nBootable=yes\nBootloader=systemd-boot\nPackages=%s\n' "$(IFS=,; echo "${packages[*]}")"
} > "$project/mkosi.conf"
printf '[Partition]\nType=esp\nFormat=vfat\nCopyFiles=/boot:/\nCopyFiles=/efi:/\nSizeMinBytes=512M\n' > "$project/mkosi.repart/00-esp.conf"
printf '[Partition]\nType=root\nFormat=erofs\nCopyFiles=/\nVerity=data\nVerityMatchKey=root\nMinimize=best\n' > "$project/mkosi.repart/10-root.conf"
printf '[Partition]\nType=root-verity\nVerity=hash\nVerityMatchKey=root\nMinimize=best\n' > "$project/mkosi.repart/20-verity.conf"
cat > "$tree/enter" <<'END'
#!/bin/sh
# enter TREE COMMAND…: make TREE the root of this mount namespace and run COMMAND there.
set -eu
tree=$1; shift
mount --bind "$tree" "$tree"
for api in dev sys; do mount --rbind "/$api" "$tree/$api"; done
mount -t proc proc "$tree/proc"
cp /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null || true
mkdir -p "$tree/old"
cd "$tree"
pivot_root . old
umount -l /old
exec "$@"
END
chmod +x "$tree/enter"
mkosi() { unshare --mount --pid --fork --mount-proc --propagation private "$tree/enter" "$tree" sh -c "cd /project && mkosi $*"; }
rm -rf "$project/out" "$project/cache"; mkdir -p "$project/out" "$project/cache"
measure mkosi-cold mkosi --force build
measure mkosi-again mkosi --force build
measure mkosi-incremental-first mkosi --incremental=yes --force build
measure mkosi-incremental-again mkosi --incremental=yes --force build

echo
awk '{ wall[$1] = $2; cpu[$1] = $3 }
     END {
         printf "%-26s %8s %8s\n", "", "wall s", "CPU s"
         n = split("ours-cold ours-overlay-change ours-unchanged mkosi-cold mkosi-again mkosi-incremental-first mkosi-incremental-again", order, " ")
         for (i = 1; i <= n; i++) printf "%-26s %8.1f %8.1f\n", order[i], wall[order[i]], cpu[order[i]]
         printf "\nours/mkosi cold                   %.2f\nours overlay/mkosi incremental    %.2f\n", wall["ours-cold"] / wall["mkosi-cold"], wall["ours-overlay-change"] / wall["mkosi-incremental-again"]
     }' "$work/results"
echo
echo "sizes: ours $(du -h --apparent-size "$work"/ours/bench_*/disk.img | cut -f1) sparse ($(du -h "$work"/ours/bench_*/disk.img | cut -f1) of data, with a second slot, a bundle and a compressed copy beside it)"
find "$project/out" -maxdepth 1 -name '*.raw' -exec du -h {} + | sed 's/^/       mkosi /'

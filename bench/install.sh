#!/usr/bin/env bash
# What installing costs a device, natively into files: ours by the update client against `rauc install` of the same root image, and
# against `zstd -d | dd conv=fsync`, which verifies nothing.
# bench/install.sh [FOLDER]: FOLDER has old.erofs and new.erofs, out/bench/delta/pairs/p2 of bench/delta.sh when not named.
# RAUC is Debian's, with a custom boot backend and file-backed slots, and a plain bundle: this needs no device mapper on the
# host. Ours verifies every window, builds the dm-verity tree and syncs. Slots, bundles and repository lie on one file system.
# Five rounds, taken in turns; medians. Needs root, dbus-daemon, openssl, rauc, squashfs-tools, time.
set -euo pipefail
cd "$(dirname "$0")/.."
pair=${1:-$PWD/out/bench/delta/pairs/p2}
work=$PWD/out/bench/install host=$PWD/out/bench/delta/host/update-client-host
rounds=${ROUNDS:-5}
rm -rf "$work"; mkdir -p "$work"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
for tool in rauc mksquashfs dbus-daemon openssl; do command -v $tool >/dev/null || { echo "$tool is missing: apt-get install rauc squashfs-tools dbus-daemon openssl" >&2; exit 2; }; done
[ -x "$host" ] || dotnet publish tests/UpdateClient.Host --configuration Release --runtime linux-x64 --output "${host%/*}" --verbosity quiet --nologo >&2

# RAUC.
openssl req -x509 -newkey rsa:4096 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -subj /CN=bench -days 7 2>/dev/null
mkdir "$work/content"
ln "$pair/new.erofs" "$work/content/rootfs.img" 2>/dev/null || cp "$pair/new.erofs" "$work/content/rootfs.img"
printf '[update]\ncompatible=bench\nversion=2\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.img\n' > "$work/content/manifest.raucm"
rauc bundle --cert="$work/cert.pem" --key="$work/key.pem" --mksquashfs-args="-comp zstd -Xcompression-level 19" "$work/content" "$work/full.raucb" >"$work/log" 2>&1
cat > "$work/backend" <<'END'
#!/bin/sh
# The least a boot loader backend must answer.
case $1 in get-primary) echo A ;; get-state) echo good ;; esac
END
chmod +x "$work/backend"
cat > "$work/system.conf" <<END
[system]
compatible=bench
bootloader=custom
bundle-formats=plain
statusfile=$work/status
mountprefix=$work/mount
[handlers]
bootloader-custom-backend=$work/backend
[keyring]
path=$work/cert.pem
[slot.rootfs.0]
device=$work/slot.0
type=raw
bootname=A
[slot.rootfs.1]
device=$work/slot.1
type=raw
bootname=B
END
cat > "$work/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=$work/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile 2>/dev/null &
until [ -S "$work/bus" ]; do sleep 0.1; done

empty_slot() { rm -f "$1"; fallocate -l "$(stat -c %s "$pair/new.erofs")" "$1"; sync -f "$1"; }
now() { date +%s%N; }
spent() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13 + $14 + $15) / hz }' "/proc/$1/stat"; }
note() { printf '%s\t%s\t%s\t%s\n' "$@" >> "$work/rows"; }

rauc_install() {
    empty_slot "$work/slot.0"; empty_slot "$work/slot.1"
    rauc --conf="$work/system.conf" service --override-boot-slot=A >"$work/log" 2>&1 &
    local service=$! start cpu
    until rauc status >/dev/null 2>&1; do kill -0 $service || { cat "$work/log"; exit 1; }; sleep 0.1; done
    cpu=$(spent $service) start=$(now)
    rauc install "$work/full.raucb" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    note rauc "$(( ($(now) - start) / 1000000 ))" "$(awk -v a="$(spent $service)" -v b="$cpu" 'BEGIN { print a - b }')" "$(awk '/VmHWM/ { print $2 }' /proc/$service/status)"
    kill $service; wait $service 2>/dev/null || true
    cmp -n "$(stat -c %s "$pair/new.erofs")" "$pair/new.erofs" "$work/slot.1"
}

# Ours: a repository with both ways.
export APPLIANCE_KEYS_PASSPHRASE=only-a-benchmark
for version in 1 2; do
    root=$pair/old.erofs; [ $version = 1 ] || root=$pair/new.erofs
    "$host" pack --root-image "$root" --id bench --board bench --arch amd64 --version $version --output "$work/$version.bundle" >/dev/null
done
out/bin/appliance keys init --dir "$work/keys" >/dev/null
for version in 1 2; do out/bin/appliance publish "$work/$version.bundle" --repo "$work/repo" --keys "$work/keys" --no-chunks --level $((version == 1 ? 1 : 19)) >/dev/null 2>&1; done

ours_install() { # ROW [OPTION…]
    rm -rf "$work/state" "$work/target"; mkdir "$work/target"
    empty_slot "$work/target/root"
    local start user system rss
    start=$(now)
    /usr/bin/time --quiet -o "$work/time" -f '%U %S %M' "$host" install --quiet --root "$work/keys/root.json" --repo "$work/repo" --channel stable --id bench --board bench --arch amd64 \
        --version 1 --target-root "$work/target/root" --target-verity "$work/target/verity" --target-uki "$work/target/uki" --state "$work/state" "${@:2}" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    local wall=$(( ($(now) - start) / 1000000 ))
    read -r user system rss < "$work/time"
    note "$1" $wall "$(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }')" "$rss"
    cmp -n "$(stat -c %s "$pair/new.erofs")" "$pair/new.erofs" "$work/target/root"
}

# The least an installation can be: nothing is verified.
zstd -q -19 -T0 -f "$pair/new.erofs" -o "$work/image.zst"
zstd_dd() {
    empty_slot "$work/slot.dd"
    local start user system rss
    start=$(now)
    /usr/bin/time --quiet -o "$work/time" -f '%U %S %M' bash -o pipefail -c "zstd -q -d -c '$work/image.zst' | dd of='$work/slot.dd' bs=1M iflag=fullblock conv=notrunc,fsync status=none"
    local wall=$(( ($(now) - start) / 1000000 ))
    read -r user system rss < "$work/time"
    note "zstd | dd" $wall "$(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }')" "$rss"
}

for round in $(seq $rounds); do
    echo "round $round of $rounds" >&2
    zstd_dd
    rauc_install
    ours_install "ours full"
    ours_install "ours patch" --running-root "$pair/old.erofs"
done

echo "$(rauc --version | head -n 1), $(du -m --apparent-size "$pair/new.erofs" | cut -f1) MiB root; bundle $(du -k "$work/full.raucb" | cut -f1) KiB (RAUC)"
median() { awk -F'\t' -v who="$1" -v field="$2" '$1 == who { print $field }' "$work/rows" | sort -g | sed -n "$(( (rounds + 1) / 2 ))p"; }
printf '%-12s %9s %9s %9s %18s\n' "" "wall s" "CPU s" "RSS MiB" "wall / rauc"
for who in rauc "zstd | dd" "ours full" "ours patch"; do
    awk -v who="$who" -v wall="$(median "$who" 2)" -v cpu="$(median "$who" 3)" -v rss="$(median "$who" 4)" -v peer="$(median rauc 2)" \
        'BEGIN { printf "%-12s %9.2f %9.2f %9.1f %18.2f\n", who, wall / 1000, cpu, rss / 1024, wall / peer }'
done

#!/usr/bin/env bash
# What an update costs a device, in QEMU: from the first request to the new version in its slot, and from the request to restart
# to healthy again. The image of bench/equivalent.yaml, and a second version of it with one package more, once as a whole bundle
# and once as a patch. Times are the host's; the worker's processor time and memory are what systemd in the machine counted;
# the supervisor's memory is the most that it told itself (/metrics), with a page open while the update ran.
# Needs root, QEMU, python3, curl, and out/bin/appliance (./build.sh cli).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/out/bench/update port=38444
rm -rf "$work"; mkdir -p "$work/overlay/usr/lib/systemd/journald.conf.d"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
export APPLIANCE_KEYS_PASSPHRASE=only-a-benchmark

# What the supervisor and systemd say is read from the serial console.
printf '[Journal]\nForwardToConsole=yes\nMaxLevelConsole=info\n' > "$work/overlay/usr/lib/systemd/journald.conf.d/bench.conf"
mkdir "$work/repo"
python3 bench/delta/server.py "$work/repo" "$work/port" "$work/requests" &
until [ -s "$work/port" ]; do sleep 0.1; done
out/bin/appliance keys init --dir "$work/keys" >/dev/null
for version in 1.0.0 2.0.0; do
    sed -E "s/^version:.*/version: $version/; s|^overlays:.*|overlays: [$PWD/image/overlays/base, $PWD/image/overlays/supervisor, overlay]|" bench/equivalent.yaml > "$work/$version.yaml"
    [ $version = 1.0.0 ] || echo "packages: { add: [jq] }" >> "$work/$version.yaml"
    echo "updates: { root: keys/root.json, url: http://10.0.2.2:$(cat "$work/port")/, check: 30s }" >> "$work/$version.yaml"
    echo "building version $version" >&2
    out/bin/appliance build "$work/$version.yaml" --output "$work" --cache out/cache >"$work/build.log" 2>&1 || { tail "$work/build.log"; exit 1; }
done

publish() { out/bin/appliance publish "$work/bench_$1_amd64/bench_$1_amd64.bundle" --repo "$work/repo" --keys "$work/keys" --no-chunks "${@:2}" >/dev/null 2>&1; }
at() { awk -v what="$1" 'index($0, what) { print $1; exit }' "$work/serial"; }
fail() { tail -n 30 "$work/serial"; echo "$1" >&2; exit 1; }

# Resident memory of the supervisor, a line every second; and a page that is told of every change and fetches the overview.
# Both go on while the device restarts and does not answer.
watch_memory() { while sleep 1; do curl -sk --max-time 5 "https://127.0.0.1:$port/metrics" | awk '/^appliance_supervisor_memory_bytes/ { print $2 }' || true; done > "$work/memory"; }
open_page() {
    while sleep 0.2; do
        curl -skN --max-time 600 "https://127.0.0.1:$port/events" | while IFS= read -r line; do
            [ -z "$line" ] || curl -sk --max-time 5 -o /dev/null "https://127.0.0.1:$port/main" || true
        done || true
    done
}

measure() { # WAY
    : > "$work/requests"
    { out/bin/appliance run "$work/bench_1.0.0_amd64" --port $port --no-kvm </dev/null 2>&1 & echo $! > "$work/pid"; wait $!; } \
        | while IFS= read -r line; do printf '%s %s\n' "$EPOCHREALTIME" "$line"; done > "$work/serial" &
    local begin=$SECONDS first healthy installed restarting
    until [ -s "$work/requests" ]; do sleep 0.05; [ $((SECONDS - begin)) -lt 900 ] || fail "it never looked for a version"; done
    first=$EPOCHREALTIME
    watch_memory & local watching=$!
    open_page & local page=$!
    until [ -n "$(at "Restarting into version 2.0.0")" ]; do sleep 0.5; [ $((SECONDS - begin)) -lt 1500 ] || fail "it never restarted"; done
    until curl -skf --max-time 5 "https://127.0.0.1:$port/healthz" >/dev/null && curl -sk --max-time 5 "https://127.0.0.1:$port/api/v1/status" | grep -q '"version":"2.0.0"'; do
        sleep 0.2; [ $((SECONDS - begin)) -lt 2400 ] || fail "it never was healthy again"
    done
    kill $watching $page
    healthy=$EPOCHREALTIME installed=$(at "(install, ") restarting=$(at "Restarting into version 2.0.0")
    # Two workers: the look, and the installation, which costs more.
    tr -d '\r' < "$work/serial" | sed -nE 's/.*appliance-worker@.*Consumed ([0-9.]+(min|s|ms)( [0-9.]+s)?) CPU time.* ([0-9.]+[KMG]?) memory peak.*/\1; \4/p' > "$work/consumed-$1"
    awk -v way="$1" -v a="$first" -v b="$installed" -v c="$restarting" -v d="$healthy" -v bytes="$(awk -F'\t' '{ sum += $4 } END { print sum }' "$work/requests")" \
        'BEGIN { printf "%-6s %10.2f MB fetched  installed in %6.1f s  restart to healthy %6.1f s\n", way, bytes / 1e6, b - a, d - c }'
    sort -g "$work/memory" | tail -n 1 | awk '{ printf "       supervisor with a page open: %.1f MiB RSS at most\n", $1 / 1048576 }'
    sed 's/^/       worker: CPU time; memory peak: /' "$work/consumed-$1"
    kill -TERM "$(cat "$work/pid")"; wait %% 2>/dev/null || true
}

publish 1.0.0 --level 1
publish 2.0.0 --patches 0
measure whole
rm -rf "$work/repo"/*
publish 1.0.0 --level 1
publish 2.0.0 --patches 1
measure patch

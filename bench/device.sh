#!/usr/bin/env bash
# What a device costs: sizes, power-on to healthy in QEMU, memory and start-up time of the supervisor.
# Run ./build.sh once before. Needs root, QEMU, dbus-daemon, python3-dbus, python3-gi.
set -euo pipefail
cd "$(dirname "$0")/.."
image=$(ls -td out/appliance_*_amd64 | head -n 1)
supervisor=$(ls -td out/cache/supervisor-*/appliance-supervisor | head -n 1)
port=38443
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

echo "== sizes"
sed -nE 's/^ *"(root|verity|uki)": ([0-9]+),?/\1 \2/p' "$image/build.json" | awk '{ printf "%-22s %7.1f MiB\n", $1, $2 / 1048576 }'
du -b "$image"/*.zst "$image"/*.bundle "$supervisor" | awk '{ n = split($2, p, "/"); printf "%-22s %7.1f MiB\n", substr(p[n], 1, 22), $1 / 1048576 }'

echo "== supervisor, native, on a private bus"
# No service activation: the names on this bus are the ones started here.
cat > "$work/bus.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=$work/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
END
dbus-daemon --config-file="$work/bus.conf" --nofork --nopidfile &
until [ -S "$work/bus" ]; do sleep 0.1; done
export DBUS_SESSION_BUS_ADDRESS="unix:path=$work/bus"
bench/systemd-stand-in.py &
until busctl --address="$DBUS_SESSION_BUS_ADDRESS" list 2>/dev/null | grep -q org.freedesktop.systemd1; do sleep 0.1; done
for run in 1 2 3 4 5 6 7; do
    start=$(date +%s%N)
    APPLIANCE_BUS="unix:path=$work/bus" APPLIANCE_STATE="$work/state" APPLIANCE_ISSUE="$work" APPLIANCE_LISTEN="127.0.0.1:$((port + run))" "$supervisor" >"$work/log" 2>&1 &
    pid=$!
    until (exec 3<>"/dev/tcp/127.0.0.1/$((port + run))") 2>/dev/null; do kill -0 $pid || { cat "$work/log"; exit 1; }; done
    listening=$(( ($(date +%s%N) - start) / 1000000 ))
    curl -sk "https://127.0.0.1:$((port + run))/" >/dev/null
    sleep 5
    echo "run $run: listening after $listening ms, $(awk '/VmRSS/ { printf "%.1f", $2 / 1024 }' /proc/$pid/status) MiB RSS after 5 s and a page view"
    echo "$listening" >> "$work/starts"
    kill $pid; wait $pid || true
done
echo "median: listening after $(sort -n "$work/starts" | sed -n 4p) ms"

echo "== power-on to healthy in QEMU"
start=$(date +%s)
out/bin/appliance run "$image" --port $port </dev/null >"$work/serial" 2>&1 &
machine=$!
until curl -skf --max-time 5 "https://127.0.0.1:$port/healthz" >/dev/null; do
    kill -0 $machine || { tail "$work/serial"; exit 1; }
    [ $(($(date +%s) - start)) -lt 900 ] || { tail "$work/serial"; exit 1; }
done
grep -aoE 'Booting \([^:)]+' "$work/serial"
echo "healthy $(($(date +%s) - start)) s after power-on; uptime in the machine $(curl -sk "https://127.0.0.1:$port/api/v1/status" | sed -E 's/.*"uptimeSeconds":([0-9]+).*/\1/') s"
kill -TERM $machine; wait $machine || true

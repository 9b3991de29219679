#!/usr/bin/env bash
# What a fleet costs the update server, on SQLite: devices that ask every five minutes while /metrics is scraped every 15 s and the
# overview is opened once a minute, as many questions as it answers, and a rollout to all of them in one group, for 1000, 10,000 and
# 100,000 devices. Every device has the certificates of half a year, one of 30 days every 20 days.
# bench/server.sh [DEVICES…]
# The simulated devices (bench/FleetSimulator) run on the same machine and take their part of it; server and devices speak HTTP, as
# behind a proxy. CPU and memory are the server's alone, from /proc. Needs curl and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/out/bench/server port=18099
[ $# -gt 0 ] || set -- 1000 10000 100000
rm -rf "$work"; mkdir -p "$work"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
echo "Publishing the server and the simulator" >&2
dotnet publish src/UpdateServer --configuration Release --output "$work/bin" --verbosity quiet --nologo >&2
dotnet publish bench/FleetSimulator --configuration Release --output "$work/sim" --verbosity quiet --nologo >&2
head -c 24 /dev/urandom | base64 > "$work/token"

api() { curl --silent --show-error --fail --header "Authorization: Bearer $key" --header 'Content-Type: application/json' "$@"; }
field() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
spent() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat"; }
memory() { awk -v name="$2:" '$1 == name { print $2 / 1024 }' "/proc/$1/status"; }
now() { date +%s.%N; }
minus() { awk -v a="$1" -v b="$2" 'BEGIN { print a - b }'; }
worst() { awk -v name="$1" '$1 == name && $2 == 200 { seen = 1; if ($3 > most) most = $3 } END { if (!seen) exit 1; print most * 1000 }' "$work/watch"; }
# The certificates that devices have got in half a year, each of them shown; one device in fifty is late with its renewal.
certify() {
    python3 - "$data/fleet.db" <<'END'
import sqlite3, sys, time
fleet, day, now = sqlite3.connect(sys.argv[1], timeout=60), 86400000, int(time.time() * 1000)
for age in range(180, -1, -20):
    with fleet: fleet.execute("""
        INSERT INTO "Certificates" ("DeviceId", "Serial", "IssuedAt", "ExpiresAt", "ShownAt", "EndsToken")
        SELECT "Id", hex(randomblob(16)), at, at + 30 * :day, at + 60000, 0
        FROM (SELECT "Id", :now - (:age + "Id" / 7 % 20 + CASE WHEN "Id" % 50 = 0 THEN 6 ELSE 0 END) * :day AS at FROM "Devices")""", dict(now=now, day=day, age=age))
END
}
# What else asks: Prometheus, and somebody who has the overview open. How long each answer took goes into a file.
ask() { echo "$1 $(api --cookie "__Host-fleet=$key" --output /dev/null --write-out '%{http_code} %{time_total}' "http://127.0.0.1:$port$2")" >>"$work/watch"; }
watch() {
    for ((turn = 0; ; turn++)); do
        ask metrics /metrics
        [ $((turn % 4)) -ne 2 ] || ask overview /
        sleep 15
    done
}
simulate() { "$work/sim/fleet-simulator" --server "http://127.0.0.1:$port" --gateway-token-file "$work/token" --devices "$devices" "$@"; }

printf '%8s  %12s %10s %11s %12s  %9s %7s  %9s %9s  %10s %10s %12s %10s\n' devices "5 min: CPU %" "scrape ms" "overview ms" "RSS MiB" "polls/s" "p99 ms" "create s" "start s" "devices/s" "CPU s" "verdict s" "HWM MiB"
for devices in "$@"; do
    data=$work/$devices
    key=$("$work/bin/appliance-server" key bench --data "$data" 2>/dev/null)
    "$work/bin/appliance-server" serve --data "$data" --listen "http://127.0.0.1:$port" --gateway-token-file "$work/token" 2>"$work/log" &
    server=$!
    until curl --silent --fail "http://127.0.0.1:$port/readyz" >/dev/null; do kill -0 $server || { cat "$work/log" >&2; exit 1; }; sleep 0.2; done
    # Everybody becomes known.
    until [ "$(api "http://127.0.0.1:$port/api/v1/devices?take=1" | field '["total"]')" = "$devices" ]; do simulate --seconds "$((devices / 300 + 2))" >/dev/null; done

    certify

    # The runtime goes on compiling what has run often for a while.
    watch & watcher=$!
    simulate --interval 300 --offline 0.01 --seconds 60 >/dev/null
    kill $watcher; wait $watcher 2>/dev/null || true
    : >"$work/watch"
    cpu=$(spent $server)
    watch & watcher=$!
    simulate --interval 300 --offline 0.01 --seconds 60 >/dev/null
    kill $watcher; wait $watcher 2>/dev/null || true
    idle=$(awk -v a="$(spent $server)" -v b="$cpu" 'BEGIN { print (a - b) / 60 * 100 }') rss=$(memory $server VmRSS)
    [ "$(api "http://127.0.0.1:$port/api/v1/overview" | field '["certificatesExpiring"]')" -gt 0 ] || { echo "No certificate ends: nothing was counted" >&2; exit 1; }
    rate=$(simulate --seconds 15)

    release=$(api --upload-file "$work/token" "http://127.0.0.1:$port/api/v1/releases/app/1/files/app.swu" | field '["id"]')
    start=$(now)
    rollout=$(api --max-time 300 --data "{\"name\": \"all\", \"release\": $release, \"groups\": [\"100%\"], \"errorPercent\": 100}" "http://127.0.0.1:$port/api/v1/rollouts" | field '["id"]')
    create=$(minus "$(now)" "$start") start=$(now)
    api --max-time 300 --request POST "http://127.0.0.1:$port/api/v1/rollouts/$rollout/start" >/dev/null
    begin=$(minus "$(now)" "$start") start=$(now) cpu=$(spent $server)
    simulate --failures 0.02 --until-installed --seconds 3600 >"$work/rollout.json"
    took=$(minus "$(now)" "$start") cost=$(minus "$(spent $server)" "$cpu") start=$(now)
    until [ "$(api "http://127.0.0.1:$port/api/v1/rollouts/$rollout" | field '["state"]')" = finished ]; do sleep 0.1; done
    verdict=$(minus "$(now)" "$start")
    printf '%8d  %12.1f %10.0f %11.0f %12.0f  %9.0f %7.1f  %9.2f %9.2f  %10.0f %10.1f %12.1f %10.0f\n' "$devices" "$idle" "$(worst metrics)" "$(worst overview)" "$rss" "$(field '["pollsPerSecond"]' <<<"$rate")" "$(field '["p99"]' <<<"$rate")" "$create" "$begin" "$(awk -v n="$devices" -v t="$took" 'BEGIN { print n / t }')" "$cost" "$verdict" "$(memory $server VmHWM)"
    kill $server; wait $server || true
done

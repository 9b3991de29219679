#!/usr/bin/env bash
# How long a workload takes from apply to ready on a real Kubernetes node, by our engine and by kubectl. The node is built from
# Debian's sources (tests/Kubernetes/build.sh, minutes, once). Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/Kubernetes/build.sh
dotnet build tests/Supervisor.Tests --nologo --verbosity quiet
log=$(mktemp)
tests/Supervisor.Tests/bin/Debug/net10.0/Supervisor.Tests -noColor -noLogo -explicit only -showLiveOutput -class '*ReadyBenchmark' >"$log" 2>&1 || { cat "$log" >&2; echo "It needs etcd, containerd, runc and kubectl: ./build.sh test --all installs them." >&2; exit 1; }
grep 'from apply to ready' "$log"
rm "$log"

#!/usr/bin/env bash
# How long a workload takes from apply to ready on a real Kubernetes node, by our engine and by kubectl. The node is built from
# Debian's sources (tests/Kubernetes/build.sh, minutes, once). Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/Kubernetes/build.sh
dotnet build tests/Supervisor.Tests --nologo --verbosity quiet
tests/Supervisor.Tests/bin/Debug/net10.0/Supervisor.Tests -noColor -noLogo -explicit only -showLiveOutput -class '*ReadyBenchmark' | grep 'from apply to ready'

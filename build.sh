#!/usr/bin/env bash
# ./build.sh              builds image/appliance.yaml into out/
# ./build.sh test         runs the tests (--all: the long ones too)
# Both install the host packages they need and say which.
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

usage() {
    sed -n '2,4s/^# //p' "$0"
    cat <<'END'
./build.sh [build options]   everything after the verb goes to `appliance build`, e.g. --locked, --mirror URL, --component k3s=FILE
Example: ./build.sh --component k3s=./k3s
END
}

need_dotnet() {
    if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep -q '^10\.'; then
        echo "The .NET 10 SDK is missing. Install it (package dotnet-sdk-10.0, or the dotnet-install script) and run this again." >&2
        exit 2
    fi
}

# need_packages PACKAGE…: installs what is missing, or prints the one command to run as root and stops.
need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian machine. Run ./build.sh on Debian 12 or 13 (a virtual machine or WSL will do), or see build.ps1." >&2
        exit 2
    fi
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local command="apt-get install --yes --no-install-recommends ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        echo "These host packages are missing: ${missing[*]}" >&2
        echo "Run this once, then ./build.sh again:" >&2
        echo "  sudo sh -c 'apt-get update && $command'" >&2
        exit 2
    fi
    echo "Installing host packages: ${missing[*]}"
    apt-get update -q=2
    DEBIAN_FRONTEND=noninteractive $command -q=2 >/dev/null
}

# mmdebstrap makes the trees; uidmap lets it do so without root; clang and zlib link the supervisor.
build_packages=(mmdebstrap uidmap clang zlib1g-dev)

publish_cli() {
    echo "Publishing the command line to out/bin/appliance"
    dotnet publish src/ImageBuilder --configuration Release --output out/bin --verbosity quiet --nologo
}

case "${1:-}" in
    help|-h|--help)
        usage ;;
    test)
        shift
        need_dotnet
        exec tests/run.sh "$@" ;;
    packages)
        need_packages "${build_packages[@]}" ;;
    cli)
        need_dotnet
        publish_cli ;;
    *)
        need_dotnet
        need_packages "${build_packages[@]}"
        publish_cli
        exec out/bin/appliance build image/appliance.yaml "$@" ;;
esac

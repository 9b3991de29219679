#!/usr/bin/env bash
# ./build.sh [options]     builds image/appliance.yaml into out/; options go to `appliance build`
# ./build.sh test          builds the image and runs the tests; --all runs the long ones too, --fast only those without an image
# ./build.sh cli           only publishes the command line to out/bin/appliance
# ./build.sh server        only publishes the update server to out/server, with all that it needs of .NET
# ./build.sh --container   builds the image in a container (Docker or podman): on hosts that are not Debian, see docs/building.md
# All but --container install the host packages they need and say which.
# Examples: ./build.sh --component k3s=./k3s
#           ./build.sh --board uefi-arm64
set -euo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

# mmdebstrap makes the trees and uidmap lets it do so without root; clang and zlib link the supervisor; libdivsufsort finds
# what two images have in common.
build_packages=(mmdebstrap uidmap clang zlib1g-dev libdivsufsort3)
# What an arm64 board takes on another machine: the emulator for what runs inside the image's tree, a compiler for the supervisor.
arm64_packages=(qemu-user-static arch-test lld binutils-aarch64-linux-gnu gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
# The real peers of the tests: a virtual machine, a bus, a browser, a scraper, a registry, a database, a second opinion on every format.
test_packages=(qemu-system-x86 qemu-utils ovmf dbus-daemon libsystemd0 chromium prometheus bmap-tools xz-utils python3-jsonschema fdisk dosfstools mtools e2fsprogs erofs-utils cryptsetup-bin zstd openssl systemd-journal-remote skopeo docker-registry postgresql openssh-server strace)
# What only --all needs: a Kubernetes node beside what tests/Kubernetes/build.sh makes, the server's container, builds in containers, an arm64 machine, device trees, a proxy.
all_packages=(busybox-static podman catatonit netavark aardvark-dns conmon docker.io qemu-system-arm qemu-efi-aarch64 python3-dbus python3-gi tinyproxy-bin device-tree-compiler cpio)

# add_unless_there LIST PROGRAM PACKAGE: many machines have the program from another package, which Debian's cannot replace.
add_unless_there() {
    local -n list=$1
    command -v "$2" >/dev/null || list+=("$3")
}
add_unless_there test_packages kubectl kubernetes-client
add_unless_there all_packages etcd etcd-server
add_unless_there all_packages containerd containerd
add_unless_there all_packages runc runc

need_dotnet() {
    if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep -q '^10\.'; then
        echo "The .NET 10 SDK is missing. Install it (package dotnet-sdk-10.0, or the dotnet-install script) and run this again." >&2
        exit 2
    fi
}

# need_packages PACKAGE…: installs what is missing, or prints the one command to run as root and stops.
need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian machine. With Docker or podman, ./build.sh --container builds the image (docs/building.md); the tests need Debian 12 or 13." >&2
        exit 2
    fi
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local install="apt-get install --yes --no-install-recommends ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        echo "These host packages are missing: ${missing[*]}" >&2
        echo "Run this once, then ./build.sh again:" >&2
        echo "  sudo sh -c 'apt-get update && $install'" >&2
        exit 2
    fi
    echo "Installing host packages: ${missing[*]}"
    apt-get update -q=2
    DEBIAN_FRONTEND=noninteractive $install -q=2 >/dev/null
}

# need_arm64: makes this machine build for arm64. Where systemd does not run, as in a container, nobody else registers the emulator.
need_arm64() {
    [ "$(dpkg --print-architecture)" != arm64 ] || return 0
    need_packages "${arm64_packages[@]}"
    if [ "$(id -u)" -eq 0 ] && ! arch-test arm64 >/dev/null; then
        echo "Registering the arm64 emulator"
        mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
        /usr/lib/systemd/systemd-binfmt qemu-aarch64.conf
    fi
}

# board_in ARGUMENTS: the board that `appliance build` is told to take, if any.
board_in() {
    while [ $# -gt 0 ]; do
        case "$1" in
            --board)   echo "${2:-}" ;;
            --board=*) echo "${1#--board=}" ;;
        esac
        shift
    done
}

publish_cli() {
    echo "Publishing the command line to out/bin/appliance"
    dotnet publish src/ImageBuilder --configuration Release --output out/bin --verbosity quiet --nologo --disable-build-servers
}

# run_suites ARGUMENTS -- SUITE…: runs test programs and ends with the one line that counts. What each test took is in out/test-logs.
run_suites() {
    local arguments=() passed=0 failed=0 suite log failures total errors bad skipped
    while [ "$1" != -- ]; do arguments+=("$1"); shift; done
    shift
    log=$(mktemp) failures=$(mktemp)
    mkdir -p out/test-logs
    for suite in "$@"; do
        echo "== $suite"
        "$(find "tests/$suite/bin/Debug/net10.0" -maxdepth 1 -name '*Tests' -perm -u+x)" -noColor -noLogo -result-xml "out/test-logs/$suite.xml" "${arguments[@]}" 2>&1 | tee "$log" || true
        # Said again at the end, where whoever sees only the last lines finds it.
        grep -F -A 12 '[FAIL]' "$log" >>"$failures" || true
        # "Total: 17, Errors: 0, Failed: 0, Skipped: 0, …"; a program that dies without it counts as one failure.
        if read -r total errors bad skipped < <(sed -nE 's/.*Total: ([0-9]+), Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+).*/\1 \2 \3 \4/p' "$log" | tail -n 1); then
            failed=$((failed + errors + bad))
            passed=$((passed + total - bad - skipped))
        else
            failed=$((failed + 1))
        fi
    done
    cat "$failures"
    rm -f "$log" "$failures"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

run_tests() {
    local suites=(Core.Tests UpdateClient.Tests ImageBuilder.Tests Supervisor.Tests UpdateServer.Tests System) arguments=()
    case "${1:-}" in
        --fast) suites=(Core.Tests UpdateClient.Tests ImageBuilder.Tests Supervisor.Tests UpdateServer.Tests) ;;
        --all)  arguments=(-explicit on); test_packages+=("${all_packages[@]}") ;;
        "")     ;;
        *)      echo "There is no option $1; --all and --fast are the ones there are." >&2; exit 2 ;;
    esac
    need_packages "${build_packages[@]}" "${test_packages[@]}"
    [ "${1:-}" != --all ] || need_arm64
    if [[ " ${suites[*]} " == *" System "* ]]; then
        publish_cli
        out/bin/appliance build image/appliance.yaml
    fi
    [ "${1:-}" != --all ] || tests/Kubernetes/build.sh
    dotnet build --nologo --verbosity quiet --disable-build-servers
    run_suites "${arguments[@]}" -- "${suites[@]}"
}

case "${1:-}" in
    help|-h|--help)
        sed -n '2,8s/^# //p' "$0" ;;
    test)
        need_dotnet
        run_tests "${@:2}" ;;
    cli)
        need_dotnet
        publish_cli ;;
    server)
        need_dotnet
        echo "Publishing the update server to out/server"
        dotnet publish src/UpdateServer --configuration Release --use-current-runtime --self-contained --output out/server --verbosity quiet --nologo --disable-build-servers ;;
    *)
        need_dotnet
        if [[ " $* " != *" --container "* ]]; then
            need_packages "${build_packages[@]}"
            board=$(board_in "$@")
            ! grep -qs '^architecture: arm64' "image/boards/$board.yaml" || need_arm64
        fi
        publish_cli
        exec out/bin/appliance build image/appliance.yaml "$@" ;;
esac

#!/usr/bin/env bash
# tests/Kubernetes/build.sh [FOLDER]: a real Kubernetes node for the tests of the k3s engine, built from Debian's sources.
# Makes kube-apiserver, kube-controller-manager, kube-scheduler and kubelet in FOLDER (default: out/kubernetes), once; etcd,
# containerd and runc are Debian's packages. k3s itself cannot be fetched where these tests run; its API is Kubernetes'.
# Debian's source package "kubernetes" 1.20 is in bookworm; elsewhere this runs in a bookworm tree. Needs root, 4 GB of disk, and
# 5 minutes on two idle processors. MIRROR names an archive to use instead of mmdebstrap's default.
# Example: tests/Kubernetes/build.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(realpath -m "${1:-out/kubernetes}")
programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet)
for program in "${programs[@]}"; do [ -x "$target/$program" ] || missing=yes; done
if [ -z "${missing:-}" ]; then echo "Kubernetes is in $target already"; exit 0; fi

# In a namespace of its own no mount outlives the script.
[ "${KUBERNETES_NAMESPACE:-}" = yes ] || exec env KUBERNETES_NAMESPACE=yes unshare --mount --propagation private "$0" "$target"
mkdir -p "$target"
work=$target/work tree=$target/work/tree
rm -rf "$work"; mkdir -p "$work"
trap 'rm -rf --one-file-system "$work"' EXIT

echo "A bookworm tree with Go and the sources"
mmdebstrap --quiet --variant=apt --include=golang-go,golang-github-modern-go-reflect2-dev,gcc,libc6-dev,dpkg-dev bookworm "$tree" ${MIRROR:+"$MIRROR"}
sed -n 's/^deb /deb-src /p' "$tree/etc/apt/sources.list" > "$tree/etc/apt/sources.list.d/sources.list"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
cp /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null || true
[ ! -e /etc/apt/apt.conf.d ] || cp -r /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"

cat > "$tree/build" <<'END'
set -euo pipefail
export GOPATH=/go GO111MODULE=off GOCACHE=/go/cache GOFLAGS=-trimpath HOME=/root
cd /tmp
apt-get update -q=2
apt-get source -q=2 --download-only kubernetes
mkdir -p /go/src/k8s.io/kubernetes
tar -xf kubernetes_*.orig.tar.* --strip-components=1 -C /go/src/k8s.io/kubernetes
cd /go/src/k8s.io/kubernetes
# The one in the sources crashes the API server with custom objects when it is built by a Go this new.
rm -rf vendor/github.com/modern-go/reflect2
cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 vendor/github.com/modern-go/reflect2
# The generated OpenAPI definitions are not in the sources.
go build -o /tmp/openapi-gen ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
inputs=$(
    { grep -rl --include='*.go' '+k8s:openapi-gen=true' staging/src/k8s.io | sed 's|^staging/src/|k8s.io/kubernetes/vendor/|'
      grep -rl --include='*.go' '+k8s:openapi-gen=true' pkg | sed 's|^|k8s.io/kubernetes/|'; } |
    grep -v '_test\.go$' | sed 's|/[^/]*$||' | grep -Ev 'sample-|/examples?/|code-generator|/testing(/|$)|/test(/|$)' | sort -u | paste -sd,)
# It reads Go's own sources, whose place a trimmed program does not know.
GOROOT=$(go env GOROOT) /tmp/openapi-gen -O zz_generated.openapi -p k8s.io/kubernetes/pkg/generated/openapi --go-header-file hack/boilerplate/boilerplate.generatego.txt -r /tmp/violations.txt -i "$inputs"
version=k8s.io/kubernetes/vendor/k8s.io/component-base/version
flags="-s -w -X $version.gitVersion=v1.20.2 -X $version.gitMajor=1 -X $version.gitMinor=20"
mkdir -p /result
CGO_ENABLED=0 go build -tags providerless -ldflags "$flags" -o /result ./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler
CGO_ENABLED=1 go build -tags providerless,dockerless -ldflags "$flags" -o /result ./cmd/kubelet
END
echo "Building; this takes minutes"
chroot "$tree" bash /build > "$target/build.log" 2>&1 || { tail -n 20 "$target/build.log" >&2; echo "The build failed; all of it is in $target/build.log" >&2; exit 1; }
for program in "${programs[@]}"; do mv "$tree/result/$program" "$target/$program"; done
umount --recursive --lazy "$tree/dev" "$tree/proc"
echo "Kubernetes $("$target/kube-apiserver" --version | cut -d' ' -f2) is in $target"

#!/usr/bin/env bash
# What an update of a workload costs a device in bytes, where one layer of its image has changed: ours by a patch and by chunks,
# against a pull of the same images from a registry (Debian's docker-registry by skopeo, which fetches the layers it does not
# have), with gzip and with zstd layers. Two kinds of change: one file of the layer, its other files untouched (a reproducible
# build); and the same with all of the layer's files written anew, as a build that copies them does (new times).
# Bytes are the bodies of all answers. Needs root, skopeo, docker-registry, mmdebstrap, 4 GB of disk and out/bin/appliance
# (./build.sh cli).
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/out/bench/workload
rm -rf "$work"; mkdir -p "$work/registry" "$work/repo"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
export APPLIANCE_KEYS_PASSPHRASE=only-a-benchmark
dotnet build tests/UpdateClient.Host --configuration Release --nologo --verbosity quiet >/dev/null
host=tests/UpdateClient.Host/bin/Release/net10.0/update-client-host

# A base of Debian, and a layer of Python with an application.
mmdebstrap --quiet --variant=minbase trixie "$work/base.tar"
mmdebstrap --quiet --variant=minbase --include=python3-django,python3-requests trixie "$work/full"
mkdir -p "$work/app/usr/lib"
cp -a "$work/full/usr/lib/python3" "$work/full"/usr/lib/python3.1* "$work/app/usr/lib/"
rm -rf "$work/full"
find "$work/app" -exec touch -h -d 2026-11-01 {} +

tar_of() { tar --sort=name --numeric-owner --owner=0 --group=0 -C "$work/app" -cf "$1" usr; }
tar_of "$work/app-1.tar"
file=$(find "$work/app" -name defaultfilters.py | head -n 1)
echo '# A line more.' >> "$file"; touch -d 2026-11-02 "$file"
tar_of "$work/app-kept.tar"
find "$work/app" -exec touch -h -d 2026-11-02 {} +
tar_of "$work/app-anew.tar"

# image NAME LAYER…: an OCI layout of an image with these layers, plain.
image() {
    python3 - "$work/$1" "${@:2}" <<'END'
import hashlib, json, os, shutil, sys
target, layers = sys.argv[1], sys.argv[2:]
blobs = os.path.join(target, "blobs/sha256")
os.makedirs(blobs)
def put(data):
    digest = hashlib.sha256(data).hexdigest()
    open(os.path.join(blobs, digest), "wb").write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}
described = []
for layer in layers:
    digest = hashlib.file_digest(open(layer, "rb"), "sha256").hexdigest()
    shutil.copyfile(layer, os.path.join(blobs, digest))
    described.append({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + digest, "size": os.path.getsize(layer)})
config = put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in described]}}).encode())
manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config}, "layers": described}).encode())
open(os.path.join(target, "oci-layout"), "w").write('{"imageLayoutVersion":"1.0.0"}')
open(os.path.join(target, "index.json"), "w").write(json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest}]}))
END
}
image image-1 "$work/base.tar" "$work/app-1.tar"
image image-kept "$work/base.tar" "$work/app-kept.tar"
image image-anew "$work/base.tar" "$work/app-anew.tar"

# The peer: every answer of a registry is in its access log, with the bytes of its body. Each format has a registry of its own, for
# skopeo takes a layer that it knows to be there in another format for good enough.
declare -A ports=([gzip]=25555 [zstd]=25556)
for format in gzip zstd; do
    mkdir "$work/registry/$format"
    printf 'version: 0.1\nlog: {accesslog: {disabled: false}, level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$work/registry/$format" "${ports[$format]}" > "$work/$format.yml"
    docker-registry serve "$work/$format.yml" >> "$work/$format.log" 2>/dev/null &
    until curl -sf "http://127.0.0.1:${ports[$format]}/v2/" >/dev/null; do sleep 0.1; done
done
plain=(--src-tls-verify=false --dest-tls-verify=false)
pull() { # FORMAT IMAGE: what an update from image-1 fetches
    local kept=$work/pulled-$1-$2
    rm -rf "$kept"; mkdir -p "$kept"
    skopeo copy --quiet "${plain[@]}" --dest-shared-blob-dir "$kept/blobs" "docker://127.0.0.1:${ports[$1]}/app:image-1" "oci:$kept/1" >/dev/null
    : > "$work/$1.log"
    skopeo copy --quiet "${plain[@]}" --dest-shared-blob-dir "$kept/blobs" "docker://127.0.0.1:${ports[$1]}/app:$2" "oci:$kept/2" >/dev/null
    sleep 1
    awk -F'"' '/"GET / { split($3, answer, " "); sum += answer[2] } END { print sum + 0 }' "$work/$1.log"
}
for format in gzip zstd; do
    for name in image-1 image-kept image-anew; do skopeo copy --quiet "${plain[@]}" --dest-compress-format $format "oci:$work/$name" "docker://127.0.0.1:${ports[$format]}/app:$name" >/dev/null; done
done

# Ours: the same images, each as a release.
out/bin/appliance keys init --dir "$work/keys" >/dev/null
release() { # VERSION IMAGE
    mkdir -p "$work/shop/manifests"
    tar -C "$work/$2" -cf "$work/shop/web.tar" .
    printf 'id: shop\nversion: "%s"\nimages: [{name: "example.org/shop/web:1", archive: web.tar}]\n' "$1" > "$work/shop/workload.yaml"
    printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: "example.org/shop/web:1"}]}\n' > "$work/shop/manifests/web.yaml"
    out/bin/appliance bundle --workload "$work/shop" --cache "$work/cache" -o "$work/shop-$1.bundle" >/dev/null
    out/bin/appliance publish "$work/shop-$1.bundle" --repo "$work/repo" --keys "$work/keys" "${@:3}" >/dev/null 2>&1
}
python3 bench/delta/server.py "$work/repo" "$work/port" "$work/requests" &
until [ -s "$work/port" ]; do sleep 0.1; done
url=http://127.0.0.1:$(cat "$work/port")
fetch() { # [--from FILE --from-version V]: leaves the file in $work/payload, prints bytes and the way
    curl -sf "$url/-/reset" >/dev/null
    rm -rf "$work/state" "$work/payload"; mkdir "$work/state"
    # What a device knows of the repository before the update.
    cp -a "$work/known" "$work/state/trust" 2>/dev/null || true
    "$host" fetch --root "$work/keys/root.json" --repo "$url" --channel stable --id shop --arch amd64 --state "$work/state" --output "$work/payload" "$@" > "$work/fetched"
    curl -sf "$url/-/sum" | awk '{ printf "%d ", $2 }'
    echo "$(sed -E 's/.*"way":"([^"]*)".*/\1/' "$work/fetched")"
}
release 1 image-1
fetch > "$work/first"
mv "$work/payload" "$work/payload-1"; cp -a "$work/state/trust" "$work/known"

mb() { awk -v n="$1" 'BEGIN { printf "%.3f", n / 1e6 }'; }
echo "image: $(du -b "$work/base.tar" | cut -f1) + $(du -b "$work/app-1.tar" | cut -f1) bytes of layers; the first release: $(mb "$(cut -d' ' -f1 "$work/first")") MB"
printf '%-34s %12s %12s %12s %12s %14s\n' 'changed, MB' 'registry gz' 'registry zst' 'ours, patch' 'ours, chunks' 'ours / best'
version=1
for change in kept anew; do
    gzip=$(pull gzip image-$change) zstd=$(pull zstd image-$change)
    version=$((version + 1)); release $version image-$change --patches 1
    read -r patch way < <(fetch --from "$work/payload-1" --from-version 1)
    [ "$way" = patch ] || echo "(by $way)" >&2
    # A device that has another version than patches were made from.
    read -r chunks way < <(fetch --from "$work/payload-1" --from-version 0.9)
    printf '%-34s %12s %12s %12s %12s %14s\n' "one file, all others $change" "$(mb "$gzip")" "$(mb "$zstd")" "$(mb "$patch")" "$(mb "$chunks") $way" "$(awk -v a="$patch" -v b="$zstd" -v c="$gzip" 'BEGIN { if (c < b) b = c; printf "%.3f", a / b }')"
done

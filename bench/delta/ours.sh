# Ours, by its own programs: `appliance publish`, and a native host of the update client (tests/UpdateClient.Host).
# Everything is counted: metadata, release, manifest, index, patch; the client verifies, hashes, builds the verity tree, syncs.
export APPLIANCE_KEYS_PASSPHRASE=only-a-benchmark
host=$work/host/update-client-host

ours_client() { # ROW [OPTION…]: an update from version 1 by what the repository and the options leave
    local target=$run/target
    rm -rf "$target" "$run/state"; mkdir -p "$target"
    reset_count
    timed client "$host" install --quiet --root "$run/keys/root.json" --repo "$url/repo" --channel stable --id bench --board bench --arch amd64 \
        --version 1 --target-root "$target/root" --target-verity "$target/verity" --target-uki "$target/uki" --state "$run/state" "${@:2}"
    local requests bytes
    read -r requests bytes _ <<< "$(counted)"
    same target/root
    row "$bytes" "$requests"
}

ours() {
    if [ ! -x "$host" ]; then
        dotnet publish tests/UpdateClient.Host --configuration Release --runtime linux-x64 --output "$work/host" --verbosity quiet --nologo >&2
    fi
    for version in 1 2; do
        local root=$pairs/$pair/old.erofs
        [ $version = 1 ] || root=$pairs/$pair/new.erofs
        "$host" pack --root-image "$root" --id bench --board bench --arch amd64 --version $version --output "$run/$version.bundle" >/dev/null
    done
    out/bin/appliance keys init --dir "$run/keys" >/dev/null
    publish=(out/bin/appliance publish --repo "$served/repo" --keys "$run/keys")

    begin "ours chunks"
    timed server "${publish[@]}" --patches 0 "$run/2.bundle"
    ours_client --running-root "$pairs/$pair/old.erofs"
    begin "ours full"
    timed server true
    ours_client
    rm -rf "$served/repo" "$run/keys"
    out/bin/appliance keys init --dir "$run/keys" >/dev/null

    # The first version only has to be there; what it costs to publish is not the update's.
    begin "ours patch"
    "${publish[@]}" --patches 0 --level 3 "$run/1.bundle" >"$work/last.log" 2>&1 || fail "did not run"
    timed server "${publish[@]}" --level 3 "$run/2.bundle"
    ours_client --running-root "$pairs/$pair/old.erofs"
}

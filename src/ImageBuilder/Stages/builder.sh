# Makes $OUT/root.tar: a Debian that holds what ./build.sh installs on a Debian host.
# SUITE, PACKAGES (comma list), MIRRORS (one a line, may be empty).
set -- --mode=root --variant=apt --format=tar \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --include="$PACKAGES" \
    "$SUITE" "$OUT/root.tar"
old_ifs=$IFS
IFS='
'
for mirror in $MIRRORS; do set -- "$@" "$mirror"; done
IFS=$old_ifs
mmdebstrap "$@"

# Runs in private mount and PID namespaces: every mount below ends with the script.
set -eu
umask 022
mount --make-rprivate / 2>/dev/null || true

# Run a program of the tools tree; the folders a script works on are bound below /mnt there.
tools() {
    chroot "$TOOLS" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" TMPDIR=/tmp "$@"
}

# bind_into_tools NAME FOLDER: make FOLDER visible as /mnt/NAME in the tools tree.
bind_into_tools() {
    mountpoint -q "$TOOLS/mnt" || mount -t tmpfs tmpfs "$TOOLS/mnt"
    mkdir -p "$TOOLS/mnt/$1"
    mount --bind "$2" "$TOOLS/mnt/$1"
}

prepare_tools() {
    mount -t proc proc "$TOOLS/proc"
    mount --rbind /dev "$TOOLS/dev"
    mount -t tmpfs tmpfs "$TOOLS/tmp"
}

# overlay_mount TARGET UPPER LOWER: the layers as one writable tree.
overlay_mount() {
    mkdir -p "$1" "$2" "$WORK/overlay-work"
    options="lowerdir=$3,upperdir=$2,workdir=$WORK/overlay-work"
    # In a user namespace overlayfs keeps its marks in user.* attributes.
    mount -t overlay overlay -o "$options" "$1" 2>/dev/null || mount -t overlay overlay -o "$options,userxattr" "$1"
}

# enter TREE COMMAND…: chroot with the kernel's file systems in place.
mount_api() {
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount --rbind /sys "$1/sys"
    mount -t tmpfs tmpfs "$1/run"
    mount -t tmpfs tmpfs "$1/tmp"
}

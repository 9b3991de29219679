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

# In a user namespace overlayfs keeps its marks in user.* attributes.
read -r _ outside _ < /proc/self/uid_map
marks=
[ "$outside" = 0 ] || marks=,userxattr

# overlay_mount TARGET UPPER LOWER: the layers as one writable tree.
overlay_mount() {
    mkdir -p "$1" "$2" "$WORK/overlay-work"
    mount -t overlay overlay -o "lowerdir=$3,upperdir=$2,workdir=$WORK/overlay-work$marks" "$1"
}

# overlay_read TARGET LOWER: the layers as one tree that is only read.
overlay_read() {
    mkdir -p "$1"
    mount -t overlay overlay -o "ro,lowerdir=$2$marks" "$1"
}

# mount_api TREE: the kernel's file systems, for programs run inside.
mount_api() {
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount --rbind /sys "$1/sys"
    mount -t tmpfs tmpfs "$1/run"
    mount -t tmpfs tmpfs "$1/tmp"
}

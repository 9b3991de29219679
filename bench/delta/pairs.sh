#!/usr/bin/env bash
# pairs.sh OUT TOOLS: makes the pairs of root images that bench/delta.sh compares, each once.
#   OUT/p3   a userland security round, one kernel in both: Debian bookworm's main alone, then with updates and security
#   OUT/p2   a kernel bump and the security round of its week: Debian trixie's main alone, then with updates and security
#   OUT/t3   p2 without the kernel bump (three files differ on the day this was written)
#   OUT/k3s  p3/old with a statically linked Go program of a k3s' size at /usr/local/bin/k3s, in two adjacent versions
# Why p3 is not trixie: a suite's main takes in its updates every few months, and what is left after that may be nearly
# nothing; bookworm's main takes in nothing more, so there the round is a real one on any day.
# In each folder: old.erofs and new.erofs as our builder makes roots (src/ImageBuilder/Stages), oldtree and newtree.
# TOOLS is a tree of trixie with erofs-utils. Needs root.
set -euo pipefail
out=$1 tools=$2
uuid=5f8d1c52-5c3b-4b0e-9a55-1a64c1d0f3a7 epoch=1735689600
packages=linux-image-amd64,systemd,systemd-sysv,systemd-boot,systemd-resolved,systemd-timesyncd,libpam-systemd,libnss-myhostname,dbus,udev,kmod,util-linux
packages+=,e2fsprogs,fdisk,iproute2,ca-certificates,tzdata,netbase,zlib1g,dracut,zstd,xz-utils,podman,crun,conmon,netavark,aardvark-dns,catatonit
packages+=,containerd,openssh-server,network-manager,dnsmasq,rsync,curl,python3,git,nftables
declare -A more=([bookworm]=cryptsetup-bin,libssl3 [trixie]=systemd-cryptsetup,systemd-repart,libssl3t64)
mkdir -p "$out"

bootstrap() { # SUITE TREE [SOURCE LINE]: as Stages/bootstrap.sh does
    mmdebstrap --quiet --mode=root --variant=apt --format=directory --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/bash-completion/*' --dpkgopt='path-exclude=/usr/share/zsh/*' \
        --dpkgopt='path-exclude=/usr/share/lintian/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/etc/kernel/postinst.d/*' --dpkgopt='path-exclude=/etc/kernel/postrm.d/*' \
        --dpkgopt='path-exclude=/etc/initramfs/post-update.d/*' \
        --essential-hook='mkdir -p "$1/etc/kernel/postinst.d" && printf "#!/bin/sh\n" > "$1/etc/kernel/postinst.d/dracut" && chmod 755 "$1/etc/kernel/postinst.d/dracut"' \
        --include="$packages,${more[$1]}" "$@"
    shift
    cp "$1/var/lib/dpkg/status" "$1.status"
    find "$1/usr/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -P 2 -n 64 xz -d
    for modules in "$1"/usr/lib/modules/*; do chroot "$1" depmod "$(basename "$modules")"; done
}

clean() { # TREE: as Stages/overlays.sh does, without an overlay
    local tree=$1
    for folder in proc dev sys run tmp; do rm -rf "${tree:?}/$folder"; mkdir "$tree/$folder"; done
    chmod 1777 "$tree/tmp"
    rm -rf "$tree"/var/cache/* "$tree"/var/log/* "$tree"/var/tmp/* "$tree"/var/backups "$tree"/boot/* "$tree"/root/.[a-z]* "$tree"/var/lib/systemd/random-seed
    rm -f "$tree"/etc/*- "$tree"/etc/.pwd.lock "$tree"/var/lib/dbus/machine-id "$tree"/etc/apt/apt.conf.d/99mmdebstrap "$tree"/vmlinuz* "$tree"/initrd.img* \
        "$tree"/etc/ssh/ssh_host_* "$tree"/etc/ssl/private/* "$tree"/etc/ssl/certs/ssl-cert-snakeoil.pem
    find "$tree/usr" "$tree/etc" \( -name '__pycache__' -o -name '*.dpkg-old' -o -name '*.dpkg-dist' \) -prune -exec rm -rf {} +
    rm -rf "$tree"/var/lib/dpkg "$tree"/var/lib/apt "$tree"/etc/apt "$tree"/etc/dpkg "$tree"/usr/share/debconf "$tree"/var/lib/ucf
    rm -f "$tree"/etc/hostname "$tree"/etc/resolv.conf
    printf 'uninitialized\n' > "$tree/etc/machine-id"
    ln -sfn /run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
    mkdir -p "$tree/usr/share/factory/var"
    (cd "$tree/var" && find . -mindepth 1 -type f -print0 | tar --null -T - -cf - | tar -C "$tree/usr/share/factory/var" -xpf -)
    rm -rf "${tree:?}/var"; mkdir "$tree/var"
    for folder in boot efi home mnt opt srv media; do mkdir -p "$tree/$folder"; done
}

erofs() { # TREE IMAGE: as Stages/erofs.sh does, with the suite's mkfs.erofs
    local folder=$tools/mnt/pairs-$$
    mkdir -p "$folder/tree" "$folder/out"
    mount --bind "$1" "$folder/tree"; mount --bind "$(dirname "$2")" "$folder/out"
    chroot "$tools" mkfs.erofs --quiet -E noinline_data -b4096 -T "$epoch" -U "$uuid" "${folder#"$tools"}/out/$(basename "$2").part" "${folder#"$tools"}/tree"
    umount "$folder/tree" "$folder/out"; rmdir "$folder/tree" "$folder/out" "$folder"
    mv "$2.part" "$2"
}

images() { # PAIR
    local side
    for side in old new; do [ -e "$out/$1/$side.erofs" ] || erofs "$out/$1/${side}tree" "$out/$1/$side.erofs"; done
}

# The default of a suite's name has its updates and security beside it; its first line alone is the release as it stands.
trees() { # SUITE PAIR
    local side tree main
    main=$(awk -v suite="$1" '$1 == "deb" { print "deb", $2, suite, "main"; exit }' "$tools/etc/apt/sources.list")
    mkdir -p "$out/$2"
    for side in old new; do
        tree=$out/$2/$side
        [ -d "${tree}tree" ] && continue
        rm -rf "$tree.part"
        if [ $side = old ]; then bootstrap "$1" "$tree.part" "$main"; else bootstrap "$1" "$tree.part"; fi
        clean "$tree.part"
        mv "$tree.part.status" "$tree.status"
        mv "$tree.part" "${tree}tree"
    done
}

one_kernel() { # FROM PAIR: the trees of FROM with the kernel of its old tree in both
    local from=$out/$1 to=$out/$2 files=(usr/lib/modules usr/share/doc/linux-image-* usr/share/bug/linux-image-*)
    mkdir -p "$to"
    [ -d "$to/oldtree" ] || { rm -rf "$to/old.part"; cp -a --reflink=auto "$from/oldtree" "$to/old.part"; mv "$to/old.part" "$to/oldtree"; }
    [ -d "$to/newtree" ] && return
    rm -rf "$to/new.part"
    cp -a --reflink=auto "$from/newtree" "$to/new.part"
    (cd "$to/new.part" && rm -rf ${files[@]})
    (cd "$to/oldtree" && tar -cf - $(ls -d ${files[@]} 2>/dev/null)) | tar -C "$to/new.part" -xpf -
    mv "$to/new.part" "$to/newtree"
}

trees trixie p2; images p2
one_kernel p2 t3; images t3
trees bookworm b2
one_kernel b2 p3; images p3

# Of the Go programs of that size hugo is the one with two near versions in Debian, the testing suite's and unstable's.
program() { # SUITE FILE: hugo's program as SUITE has it
    local apt=$out/apt-$1 mirror options
    [ -e "$2" ] && return
    mirror=$(awk '$1 == "deb" { print $2; exit }' "$tools/etc/apt/sources.list")
    mkdir -p "$apt"/etc/apt/{apt.conf.d,preferences.d,sources.list.d} "$apt"/var/lib/apt/lists/partial "$apt"/var/lib/dpkg "$apt"/var/cache/apt/archives/partial
    : > "$apt/var/lib/dpkg/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" > "$apt/etc/apt/sources.list"
    options=(-qq -o "Dir=$apt" -o "Dir::State::status=$apt/var/lib/dpkg/status" -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
    apt-get "${options[@]}" update
    (cd "$apt" && rm -f ./*.deb && apt-get "${options[@]}" download hugo && ls ./*.deb && dpkg-deb -x ./*.deb unpacked)
    install -m 0755 "$apt/unpacked/usr/bin/hugo" "$2"
    rm -rf "$apt"
}
mkdir -p "$out/k3s"
program forky "$out/k3s/old.program"
program sid "$out/k3s/new.program"
if cmp -s "$out/k3s/old.program" "$out/k3s/new.program"; then
    echo "pairs.sh: testing and unstable have the same hugo today; put two versions of a Go program at $out/k3s/{old,new}.program" >&2
    exit 1
fi
for side in old new; do
    [ -d "$out/k3s/${side}tree" ] && continue
    rm -rf "$out/k3s/$side.part"
    cp -a --reflink=auto "$out/p3/oldtree" "$out/k3s/$side.part"
    install -D -m 0755 "$out/k3s/$side.program" "$out/k3s/$side.part/usr/local/bin/k3s"
    mv "$out/k3s/$side.part" "$out/k3s/${side}tree"
done
images k3s

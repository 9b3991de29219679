# Kernel, initrd, os-release and command line as one EFI program. KERNEL (folder), OUT, OS_RELEASE, COMMAND_LINE, STUB, EFI_ARCH.
prepare_tools
bind_into_tools kernel "$KERNEL"
bind_into_tools out "$OUT"
cp "$OS_RELEASE" "$TOOLS/tmp/os-release"
tools ukify build --linux=/mnt/kernel/vmlinuz --initrd=/mnt/kernel/initrd --uname="$(cat "$KERNEL/kernel-version")" \
    --cmdline="$COMMAND_LINE" --os-release=@/tmp/os-release --stub="$STUB" --efi-arch="$EFI_ARCH" --output=/mnt/out/uki.efi
chmod 0644 "$OUT/uki.efi"

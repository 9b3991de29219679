# Compiles a kernel module against the headers of the image's kernel. SOURCE (folder), VERSION (of the kernel), OUT.
prepare_tools
bind_into_tools out "$OUT"
# In one place whatever the cache is called, so that it comes out the same.
cp -r "$SOURCE" "$TOOLS/tmp/module"
tools make -C "/usr/src/linux-headers-$VERSION" M=/tmp/module modules
for module in "$TOOLS"/tmp/module/*.ko; do
    tools aarch64-linux-gnu-strip --strip-debug -o "/mnt/out/$(basename "$module")" "/tmp/module/$(basename "$module")"
done

# The image as it is, compressed: what a device that knows nothing downloads. Sourced by bench/delta.sh.
full() {
    begin "full image, zstd -19"
    server "zstd -q -f -19 -T0 /mnt/pair/new.erofs -o patch"
    client "zstd -q -d -c patch | dd of=new bs=1M iflag=fullblock conv=fsync && sha256sum new"
    same new
    row "$(size patch)"
}

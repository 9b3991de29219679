#!/usr/bin/env python3
"""What RAUC's adaptive update downloads: rauc.py BUNDLE OLD NEW prints the bytes.

RAUC fetches the index of 4 KiB block hashes from the bundle, takes every block that the running slot has (or that it has
written already) from there, and reads the others through the bundle's squashfs on dm-verity on nbd. Counted are the 4 KiB
pages of the bundle that those reads touch: all of the squashfs but the rootfs's blocks that hold nothing new, the pages of
the verity tree above them, and the signature. The kernel's read-ahead and HTTP headers are not counted, in RAUC's favour.
"""
import struct
import sys

PAGE = 4096
bundle_path, old_path, new_path = sys.argv[1:4]


def blocks(path):
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            for i in range(0, len(data), PAGE):
                yield data[i:i + PAGE]


def inodes(bundle):
    """(size, start, block sizes) of each regular file. The inode table must be stored uncompressed (mksquashfs -noI)."""
    bundle.seek(0)
    fields = struct.unpack("<5I6H8Q", bundle.read(96))
    magic, block_size, used, table, directories = fields[0], fields[3], fields[12], fields[15], fields[16]
    assert magic == 0x73717368
    bundle.seek(table)
    raw, data = bundle.read(directories - table), b""
    while raw:
        length, = struct.unpack("<H", raw[:2])
        assert length & 0x8000, "compressed inode table"
        length &= 0x7FFF
        data, raw = data + raw[2:2 + length], raw[2 + length:]
    at, files = 0, []
    while at < len(data):
        kind, = struct.unpack_from("<H", data, at)
        at += 16
        if kind == 1:
            at += 16
        elif kind == 2:
            start, fragment, _, size = struct.unpack_from("<4I", data, at)
            at += 16
        elif kind == 9:
            start, size, _, _, fragment, _, _ = struct.unpack_from("<3Q4I", data, at)
            at += 40
        else:
            raise SystemExit(f"an inode of kind {kind} in the bundle")
        if kind != 1:
            count = size // block_size if fragment != 0xFFFFFFFF else -(-size // block_size)
            files.append((size, start, [s & 0xFFFFFF for s in struct.unpack_from(f"<{count}I", data, at)]))
            at += 4 * count
    return block_size, used, files


have = {hash(block) for block in blocks(old_path)}
have.add(hash(bytes(PAGE)))
missing, size = [], 0
for number, block in enumerate(blocks(new_path)):
    size += len(block)
    key = hash(block)
    if key not in have:
        missing.append(number)
        have.add(key)

with open(bundle_path, "rb") as bundle:
    block_size, used, files = inodes(bundle)
    total = bundle.seek(0, 2)
    bundle.seek(total - 8)
    signature, = struct.unpack(">Q", bundle.read(8))

image = next(file for file in files if file[0] == size)
wanted = {number * PAGE // block_size for number in missing}
pages = set()
def touch(first, length):
    if length:
        pages.update(range(first // PAGE, (first + length - 1) // PAGE + 1))
at = image[1]
touch(0, image[1])
for number, length in enumerate(image[2]):
    if number in wanted:
        touch(at, length)
    at += length
touch(at, used - at)

tree, level, count = 0, pages, -(-used // PAGE)
while count > 1:
    level, count = {page // 128 for page in level}, -(-count // 128)
    tree += len(level)
print((len(pages) + tree) * PAGE + signature + 8)
print(f"{len(missing)} new blocks of 4 KiB, {len(pages)} pages of the bundle, {tree} of its tree, bundle {total}", file=sys.stderr)

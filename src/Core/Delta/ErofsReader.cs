using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Appliance.Core.Delta;

/// <summary>
/// Finds the regular files of an uncompressed EROFS image (kernel source, fs/erofs/erofs_fs.h): a patch pairs old and new
/// content by path. Anything unexpected makes the image opaque, which costs bytes and never correctness.
/// </summary>
internal sealed class ErofsReader
{
    private const uint Magic = 0xE0F5E1E2;
    private const int SuperblockOffset = 1024, InodeSlot = 32, DirectoryEntry = 12, LargestDirectory = 16 << 20, MostInodes = 4 << 20;
    private readonly SafeFileHandle _image;
    private readonly long _length;
    private readonly int _blockBits;
    private readonly long _metadata;
    private readonly List<ErofsFile> _files = [];
    private readonly HashSet<ulong> _seen = [];

    private ErofsReader(SafeFileHandle image, long length, int blockBits, long metadata) => (_image, _length, _blockBits, _metadata) = (image, length, blockBits, metadata);

    /// <summary>The files in the order of their bytes, without overlap; empty when the image is no EROFS that can be read.</summary>
    public static IReadOnlyList<ErofsFile> ReadFiles(SafeFileHandle image, long length)
    {
        try
        {
            var super = new byte[128];
            if (length < SuperblockOffset + super.Length) return [];
            ReadExactly(image, super, SuperblockOffset);
            if (BinaryPrimitives.ReadUInt32LittleEndian(super) != Magic) return [];
            int blockBits = super[12];
            if (blockBits is < 9 or > 16) return [];
            var metadata = (long)BinaryPrimitives.ReadUInt32LittleEndian(super.AsSpan(40)) << blockBits;
            var reader = new ErofsReader(image, length, blockBits, metadata);
            reader.Walk(BinaryPrimitives.ReadUInt16LittleEndian(super.AsSpan(14)));
            return reader.InOrder();
        }
        catch (InvalidDataException)
        {
            return [];
        }
    }

    private List<ErofsFile> InOrder()
    {
        var ordered = new List<ErofsFile>(_files.Count);
        long end = 0;
        foreach (var file in _files.OrderBy(file => file.Offset))
        {
            if (file.Offset < end) continue; // shared blocks: the first name has them
            ordered.Add(file);
            end = file.Offset + file.Length;
        }
        return ordered;
    }

    private void Walk(ulong root)
    {
        var folders = new Queue<(ulong Inode, string Path)>();
        folders.Enqueue((root, ""));
        _seen.Add(root);
        while (folders.TryDequeue(out var folder))
        {
            foreach (var (inode, name) in ReadFolder(ReadInode(folder.Inode)))
            {
                if (name is "." or ".." || !_seen.Add(inode)) continue;
                if (_seen.Count > MostInodes) throw new InvalidDataException("too many inodes");
                var node = ReadInode(inode);
                var path = $"{folder.Path}/{name}";
                if (node.IsFolder) folders.Enqueue((inode, path));
                else if (node.IsFile && node.InOnePiece && node.Size > 0 && node.DataOffset + node.Size <= _length) _files.Add(new ErofsFile(path, node.DataOffset, node.Size));
            }
        }
    }

    private Node ReadInode(ulong number)
    {
        var offset = _metadata + (long)number * InodeSlot;
        if (number > (ulong)_length / InodeSlot || offset + InodeSlot > _length) throw new InvalidDataException("inode outside the image");
        Span<byte> bytes = stackalloc byte[64];
        bytes = bytes[..(int)Math.Min(64, _length - offset)];
        ReadExactly(_image, bytes, offset);
        var format = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        var attributes = BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]);
        var mode = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]);
        var extended = (format & 1) != 0;
        if (extended && bytes.Length < 64) throw new InvalidDataException("inode cut off");
        var size = extended ? BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]) : BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (size < 0) throw new InvalidDataException("negative size");
        var block = BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]);
        var tail = offset + (extended ? 64 : 32) + (attributes == 0 ? 0 : 12 + 4L * (attributes - 1));
        return new Node(mode, size, (format >> 1) & 7, (long)block << _blockBits, tail);
    }

    private List<(ulong Inode, string Name)> ReadFolder(Node folder)
    {
        if (!folder.IsFolder || folder.Size > LargestDirectory || folder.Layout is not (Node.Plain or Node.Inline)) throw new InvalidDataException("folder that cannot be read");
        var entries = new List<(ulong, string)>();
        var block = new byte[1 << _blockBits];
        for (long at = 0; at < folder.Size; at += block.Length)
        {
            var size = (int)Math.Min(block.Length, folder.Size - at);
            var inlined = folder.Layout == Node.Inline && at + block.Length > folder.Size;
            var bytes = block.AsSpan(0, size);
            var offset = inlined ? folder.Tail : folder.DataOffset + at;
            if (offset < 0 || offset + size > _length) throw new InvalidDataException("folder outside the image");
            ReadExactly(_image, bytes, offset);
            AddEntries(bytes, entries);
        }
        return entries;
    }

    private static void AddEntries(ReadOnlySpan<byte> block, List<(ulong, string)> entries)
    {
        if (block.Length < DirectoryEntry) throw new InvalidDataException("folder block too short");
        int first = BinaryPrimitives.ReadUInt16LittleEndian(block[8..]);
        if (first % DirectoryEntry != 0 || first == 0 || first > block.Length) throw new InvalidDataException("folder block malformed");
        for (var i = 0; i < first; i += DirectoryEntry)
        {
            int start = BinaryPrimitives.ReadUInt16LittleEndian(block[(i + 8)..]);
            var end = i + DirectoryEntry < first ? BinaryPrimitives.ReadUInt16LittleEndian(block[(i + DirectoryEntry + 8)..]) : block.Length;
            if (start < first || end < start || end > block.Length) throw new InvalidDataException("name outside its block");
            var name = block[start..end];
            var zero = name.IndexOf((byte)0);
            entries.Add((BinaryPrimitives.ReadUInt64LittleEndian(block[i..]), Encoding.UTF8.GetString(zero < 0 ? name : name[..zero])));
        }
    }

    private static void ReadExactly(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        if (file.ReadUpTo(buffer, offset) < buffer.Length) throw new InvalidDataException("the image ends too early");
    }

    private readonly record struct Node(int Mode, long Size, int Layout, long DataOffset, long Tail)
    {
        public const int Plain = 0, Inline = 2;

        public bool IsFolder => (Mode & 0xF000) == 0x4000;

        public bool IsFile => (Mode & 0xF000) == 0x8000;

        public bool InOnePiece => Layout == Plain;
    }
}

using System.Security.Cryptography;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Appliance.Core;
using Appliance.ImageBuilder.Disk;
using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.BlockMaps;

/// <summary>
/// A map of the blocks of a sparse image that hold data, in the bmap 2.0 format of bmaptool: what is not mapped need not
/// be written, and every range carries its checksum.
/// </summary>
internal sealed record BlockMap(long ImageSize, IReadOnlyList<BlockRange> Ranges)
{
    /// <summary>Bytes of a block.</summary>
    public const int BlockSize = 4096;

    /// <summary>Largest map that is read, in bytes.</summary>
    public const int LargestFile = 16 << 20;

    private const string NoChecksum = "0000000000000000000000000000000000000000000000000000000000000000";
    private const int BufferSize = 4 << 20;

    /// <summary>Bytes that are mapped; the last block may be cut by the image's end.</summary>
    public long MappedBytes => Ranges.Sum(range => Math.Min((range.Last + 1) * BlockSize, ImageSize) - range.First * BlockSize);

    /// <summary>First byte of a range, and first byte after it.</summary>
    public (long Start, long End) BytesOf(BlockRange range) => (range.First * BlockSize, Math.Min((range.Last + 1) * BlockSize, ImageSize));

    /// <summary>Whether anything from a byte on up to another is mapped.</summary>
    public bool Covers(long start, long end)
    {
        var index = FirstRangeEndingAfter(start);
        return index < Ranges.Count && Ranges[index].First * BlockSize < end;
    }

    /// <summary>What of a run of bytes is not mapped, in order.</summary>
    public IEnumerable<(long Start, long End)> Unmapped(long start, long end)
    {
        for (var index = FirstRangeEndingAfter(start); index < Ranges.Count && start < end; index++)
        {
            var (first, last) = BytesOf(Ranges[index]);
            if (first > start) yield return (start, Math.Min(first, end));
            start = last;
        }
        if (start < end) yield return (start, end);
    }

    /// <summary>Maps a file by its holes: what is no hole is mapped, zeros too.</summary>
    public static BlockMap Create(string path)
    {
        using var handle = File.OpenHandle(path);
        var size = RandomAccess.GetLength(handle);
        var ranges = new List<BlockRange>();
        foreach (var (first, last) in MappedRuns(handle))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[BufferSize];
            var end = Math.Min((last + 1) * BlockSize, size);
            for (var position = first * BlockSize; position < end;)
            {
                var read = RandomAccess.Read(handle, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - position)), position);
                if (read == 0) throw new EndOfStreamException($"{path} became shorter while it was read");
                hash.AppendData(buffer, 0, read);
                position += read;
            }
            ranges.Add(new BlockRange(first, last, Convert.ToHexStringLower(hash.GetHashAndReset())));
        }
        return new BlockMap(size, ranges);
    }

    /// <summary>Writes the map.</summary>
    public void Write(string path)
    {
        var text = ToXml(NoChecksum);
        var checksum = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        File.WriteAllText(path, ToXml(checksum));
    }

    /// <summary>Reads a map and refuses one that is damaged.</summary>
    /// <exception cref="UserError">Not a bmap 2.0 file, altered, or inconsistent.</exception>
    public static BlockMap Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > LargestFile) throw Damaged(path, "it is too large");
            return Parse(path, File.ReadAllText(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Damaged(path, e.Message);
        }
    }

    /// <summary>Reads a map from its text and refuses one that is damaged.</summary>
    /// <exception cref="UserError">Not a bmap 2.0 file, altered, or inconsistent.</exception>
    public static BlockMap Parse(string path, string text)
    {
        try
        {
            using var reader = XmlReader.Create(new StringReader(text), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit });
            var root = XDocument.Load(reader).Root!;
            string Value(string name) => root.Element(name)?.Value.Trim() ?? throw Damaged(path, $"{name} is missing");
            if (root.Name != "bmap" || root.Attribute("version")?.Value != "2.0" || Value("ChecksumType") != "sha256" || long.Parse(Value("BlockSize")) != BlockSize)
                throw Damaged(path, "it is not a bmap 2.0 file with SHA-256 and 4096-byte blocks");
            var checksum = Value("BmapFileChecksum");
            if (checksum.Length != 64 || Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.Replace(checksum, NoChecksum, StringComparison.Ordinal)))) != checksum)
                throw Damaged(path, "its checksum does not match");
            var map = new BlockMap(long.Parse(Value("ImageSize")), root.Element("BlockMap")!.Elements("Range").Select(ReadRange).ToList());
            long next = 0;
            foreach (var range in map.Ranges)
            {
                if (range.First < next || range.Last < range.First || range.Last > (map.ImageSize - 1) / BlockSize) throw Damaged(path, "its ranges overlap or leave the image");
                next = range.Last + 1;
            }
            return map;
        }
        catch (Exception e) when (e is XmlException or FormatException or OverflowException or NullReferenceException)
        {
            throw Damaged(path, e.Message);
        }
    }

    private int FirstRangeEndingAfter(long position)
    {
        var (low, high) = (0, Ranges.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if ((Ranges[middle].Last + 1) * BlockSize > position) high = middle;
            else low = middle + 1;
        }
        return low;
    }

    private static BlockRange ReadRange(XElement element)
    {
        var ends = element.Value.Trim().Split('-');
        var first = long.Parse(ends[0]);
        return new BlockRange(first, ends.Length > 1 ? long.Parse(ends[1]) : first, element.Attribute("chksum")!.Value);
    }

    private static UserError Damaged(string path, string reason) => new($"The block map {path} cannot be used: {reason}.", "Copy it again together with its image, or write the whole image with --no-bmap.");

    private string ToXml(string checksum)
    {
        var text = new StringBuilder();
        text.Append("<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n");
        text.Append($"    <ImageSize> {ImageSize} </ImageSize>\n    <BlockSize> {BlockSize} </BlockSize>\n");
        text.Append($"    <BlocksCount> {(ImageSize + BlockSize - 1) / BlockSize} </BlocksCount>\n    <MappedBlocksCount> {Ranges.Sum(range => range.Count)} </MappedBlocksCount>\n");
        text.Append($"    <ChecksumType> sha256 </ChecksumType>\n    <BmapFileChecksum> {checksum} </BmapFileChecksum>\n    <BlockMap>\n");
        foreach (var range in Ranges)
            text.Append($"        <Range chksum=\"{range.Sha256}\"> {(range.First == range.Last ? $"{range.First}" : $"{range.First}-{range.Last}")} </Range>\n");
        return text.Append("    </BlockMap>\n</bmap>\n").ToString();
    }

    private static IEnumerable<(long First, long Last)> MappedRuns(SafeFileHandle handle)
    {
        (long First, long Last)? open = null;
        foreach (var (start, end) in DataExtents.Of(handle))
        {
            var run = (First: start / BlockSize, Last: (end - 1) / BlockSize);
            if (open is { } last && run.First <= last.Last + 1) open = (last.First, run.Last);
            else
            {
                if (open is { } finished) yield return finished;
                open = run;
            }
        }
        if (open is { } rest) yield return rest;
    }
}

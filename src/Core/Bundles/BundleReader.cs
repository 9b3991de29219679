using System.Formats.Tar;
using System.Security.Cryptography;
using ZstdSharp;

namespace Appliance.Core.Bundles;

/// <summary>Reads a bundle front to back from any stream, with bounded memory; every frame is verified before it is handed on.</summary>
public sealed class BundleReader : IAsyncDisposable
{
    private readonly TarReader _tar;
    private readonly string _name;
    private int _next;

    private BundleReader(TarReader tar, string name, BundleManifest manifest) => (_tar, _name, Manifest) = (tar, name, manifest);

    /// <summary>The validated manifest.</summary>
    public BundleManifest Manifest { get; }

    /// <summary>Reads and validates the manifest.</summary>
    /// <param name="stream">The bundle; it need not be seekable.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="UserError">Not a bundle, truncated, inconsistent, or of a newer format.</exception>
    public static async Task<BundleReader> OpenAsync(Stream stream, string name, CancellationToken cancellationToken)
    {
        var tar = new TarReader(stream, leaveOpen: true);
        var manifest = await Guard(name, async () =>
        {
            var entry = await tar.GetNextEntryAsync(cancellationToken: cancellationToken);
            if (entry?.Name != BundleWriter.ManifestName || entry.DataStream is null) throw NotABundle(name, "its first member is not manifest.json");
            if (entry.Length > BundleManifestReader.LargestManifest) throw NotABundle(name, "its manifest is too large");
            var bytes = new byte[entry.Length];
            await entry.DataStream.ReadExactlyAsync(bytes, cancellationToken);
            return BundleManifestReader.Parse(bytes);
        });
        return new BundleReader(tar, name, manifest);
    }

    /// <summary>Unpacks the next payload; <paramref name="onPlain"/> gets its verified bytes in order. Null when there are no more.</summary>
    public async Task<BundlePayload?> ReadNextAsync(Func<ReadOnlyMemory<byte>, ValueTask> onPlain, CancellationToken cancellationToken)
    {
        if (_next == Manifest.Payloads.Count) return null;
        var payload = Manifest.Payloads[_next++];
        return await Guard(_name, async () =>
        {
            var entry = await _tar.GetNextEntryAsync(cancellationToken: cancellationToken);
            if (entry?.Name != BundleWriter.MemberName(payload.Name)) throw NotABundle(_name, $"payload {payload.Name} is missing");
            if (entry.Length != payload.Frames.Sum(frame => (long)frame.Size)) throw NotABundle(_name, $"payload {payload.Name} has another size than the manifest says");
            await UnpackAsync(entry.DataStream ?? Stream.Null, payload, onPlain, cancellationToken);
            return payload;
        });
    }

    /// <summary>Ends the reading; the stream stays open.</summary>
    public ValueTask DisposeAsync() => _tar.DisposeAsync();

    private async Task UnpackAsync(Stream packed, BundlePayload payload, Func<ReadOnlyMemory<byte>, ValueTask> onPlain, CancellationToken cancellationToken)
    {
        using var decompressor = new Decompressor();
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var plain = new byte[payload.FrameSize];
        var left = payload.Size;
        for (var i = 0; i < payload.Frames.Count; i++)
        {
            var frame = payload.Frames[i];
            var buffer = new byte[frame.Size];
            await packed.ReadExactlyAsync(buffer, cancellationToken);
            var expected = (int)Math.Min(left, payload.FrameSize);
            var length = decompressor.Unwrap(buffer, plain, 0);
            if (length != expected || Convert.ToHexStringLower(SHA256.HashData(plain.AsSpan(0, length))) != frame.Sha256)
                throw NotABundle(_name, $"frame {i} of payload {payload.Name} is damaged");
            whole.AppendData(plain, 0, length);
            await onPlain(plain.AsMemory(0, length));
            left -= length;
        }
        if (Convert.ToHexStringLower(whole.GetHashAndReset()) != payload.Sha256) throw NotABundle(_name, $"payload {payload.Name} is damaged");
    }

    private static UserError NotABundle(string name, string reason, Exception? inner = null) =>
        new($"{name} is not a usable bundle: {reason}.", "Fetch or build it again.", inner);

    private static async Task<T> Guard<T>(string name, Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (EndOfStreamException e)
        {
            throw NotABundle(name, "it ends too early", e);
        }
        // TarReader's own words for headers that make no sense are of several kinds.
        catch (Exception e) when (e is InvalidDataException or ZstdException or FormatException or ArgumentException or NotSupportedException or InvalidOperationException or OverflowException)
        {
            throw NotABundle(name, e.Message, e);
        }
    }
}

using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Sources;

/// <summary>
/// An offline bundle as a repository of one release. A file is read where it is needed; a stream (an upload, a push) front to
/// back, its ranges forward only.
/// </summary>
public sealed class BundleSource : IRepositorySource, IAsyncDisposable
{
    private const int LargestMember = 8 << 20, MostMembers = 1024;
    private readonly Stream _stream;
    private readonly string _name;
    private readonly Dictionary<string, byte[]> _members = new(StringComparer.Ordinal);
    private readonly BufferPool _buffers = new(2);
    private Release? _release;
    private long _position, _start;

    private BundleSource(Stream stream, string name) => (_stream, _name) = (stream, name);

    /// <inheritdoc/>
    public long BytesRead { get; private set; }

    /// <inheritdoc/>
    public string? OnlyRelease { get; private set; }

    /// <summary>What the bundle says it is. Nothing has been verified of it.</summary>
    public BundleHeader Claims => _release!.Header;

    /// <summary>Where the bundle proper begins in the file.</summary>
    public long BundleOffset => _start;

    /// <summary>True when the metadata of this channel is in the bundle.</summary>
    public bool CarriesChannel(string channel) => _members.Keys.Any(name => name.StartsWith(OfflineBundle.MetadataFolder, StringComparison.Ordinal) && name.EndsWith($".{channel}.json", StringComparison.Ordinal));

    /// <summary>Reads what lies before the bundle proper: metadata, release and manifest.</summary>
    /// <param name="stream">The bundle; it need not be seekable. The source owns it from here on.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="UserError">Not a bundle, truncated, or one without signatures.</exception>
    public static async Task<BundleSource> OpenAsync(Stream stream, string name, CancellationToken cancellationToken)
    {
        var source = new BundleSource(stream, name);
        try
        {
            await source.ReadFrontAsync(cancellationToken);
            return source;
        }
        catch (Exception e) when (e is EndOfStreamException or InvalidDataException)
        {
            await source.DisposeAsync();
            throw source.Unusable(e is EndOfStreamException ? "it ends too early" : e.Message, e);
        }
        catch (IOException e)
        {
            await source.DisposeAsync();
            throw source.Unreadable(e);
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken)
    {
        var member = path.StartsWith("targets/", StringComparison.Ordinal) ? OfflineBundle.ReleaseName : path == _release!.Manifest.Path ? OfflineBundle.ManifestName : path;
        if (!_members.TryGetValue(member, out var bytes)) return Task.FromResult<byte[]?>(null);
        if (bytes.Length > limit) throw Unusable($"its {member} is too large");
        return Task.FromResult<byte[]?>(bytes);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (path != _release!.Bundle.Path) throw new InvalidDataException($"{_name} does not hold {path}");
        if (ranges.Count == 0) yield break;
        var buffer = _buffers.Rent(ranges.Max(range => range.Length));
        try
        {
            foreach (var range in ranges)
            {
                var bytes = buffer.AsMemory(0, range.Length);
                await ReadAtAsync(_start + range.Offset, bytes, cancellationToken);
                yield return bytes;
            }
        }
        finally
        {
            _buffers.Return(buffer);
        }
    }

    /// <summary>Closes the stream.</summary>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task ReadFrontAsync(CancellationToken cancellationToken)
    {
        var block = new byte[TarHeader.BlockSize];
        var total = 0L;
        while (true)
        {
            _start = _position;
            await ReadAsync(block, cancellationToken);
            var header = TarHeader.Parse(block) ?? throw new EndOfStreamException();
            if (header.Name == BundleWriter.ManifestName) break; // the bundle proper begins at this header
            total += header.Size;
            if (header.Size > LargestMember || total > OfflineBundle.LargestFront || _members.Count == MostMembers) throw new InvalidDataException("what lies before its payloads is too large");
            var content = new byte[header.PaddedSize];
            await ReadAsync(content, cancellationToken);
            if (!_members.TryAdd(header.Name, content[..(int)header.Size])) throw new InvalidDataException($"it holds {header.Name} twice");
        }
        if (!_members.TryGetValue(OfflineBundle.ReleaseName, out var release))
            throw new UserError($"{_name} carries no signatures.", "A bundle of a build has to be published first; `appliance bundle REPO -o FILE` then makes one for USB sticks and uploads.");
        // Read here only to learn its objects' names; whether to trust it is up to who asks for it.
        _release = ReleaseReader.Parse(release);
        OnlyRelease = Convert.ToHexStringLower(SHA256.HashData(release));
    }

    private async Task ReadAtAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            if (_stream.CanSeek) _position = _stream.Seek(offset, SeekOrigin.Begin);
            else if (offset < _position) throw new InvalidDataException($"{_name} comes as a stream and cannot be read again from an earlier place");
            var scratch = new byte[Math.Min(offset - _position, 64 << 10)];
            while (_position < offset) await ReadAsync(scratch.AsMemory(0, (int)Math.Min(scratch.Length, offset - _position)), cancellationToken);
            await ReadAsync(buffer, cancellationToken);
        }
        catch (EndOfStreamException e)
        {
            throw Unusable("it ends too early", e);
        }
        catch (IOException e)
        {
            throw Unreadable(e);
        }
    }

    private async Task ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        await _stream.ReadExactlyAsync(buffer, cancellationToken);
        _position += buffer.Length;
        BytesRead += buffer.Length;
    }

    private UserError Unreadable(IOException e) => new($"{_name} cannot be read: {e.Message}", "Check the medium or the connection, and try again.", e);

    private UserError Unusable(string reason, Exception? inner = null) => new($"{_name} is not a usable bundle: {reason}.", "Fetch or export it again.", inner);
}

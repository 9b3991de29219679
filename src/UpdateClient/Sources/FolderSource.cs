using System.Runtime.CompilerServices;
using Appliance.Core;

namespace Appliance.UpdateClient.Sources;

/// <summary>A repository in a folder, e.g. on a USB stick.</summary>
public sealed class FolderSource(string folder) : IRepositorySource
{
    private readonly BufferPool _buffers = new(2);
    private long _read;

    /// <inheritdoc/>
    public long BytesRead => Interlocked.Read(ref _read);

    /// <inheritdoc/>
    public async Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = new FileStream(Locate(path), FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous);
            if (file.Length > limit) throw new UserError($"{file.Name} is larger than the {limit} bytes it may have.", "This is not the repository that was meant, or somebody has tampered with it.");
            var bytes = new byte[file.Length];
            await file.ReadExactlyAsync(bytes, cancellationToken);
            Interlocked.Add(ref _read, bytes.Length);
            return bytes;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var file = Open(path);
        if (ranges.Count == 0) yield break;
        var buffer = _buffers.Rent(ranges.Max(range => range.Length));
        try
        {
            foreach (var range in ranges)
            {
                var bytes = buffer.AsMemory(0, range.Length);
                await FillAsync(file, path, range.Offset, bytes, cancellationToken);
                Interlocked.Add(ref _read, range.Length);
                yield return bytes;
            }
        }
        finally
        {
            _buffers.Return(buffer);
        }
    }

    private FileStream Open(string path)
    {
        try
        {
            return new FileStream(Locate(path), FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidDataException($"{Path.Combine(folder, path)} is missing: the copy of the repository is incomplete", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    private async Task FillAsync(FileStream file, string path, long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            file.Position = offset;
            await file.ReadExactlyAsync(buffer, cancellationToken);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"{Path.Combine(folder, path)} is shorter than the signed metadata says", e);
        }
        catch (IOException e)
        {
            throw Unreadable(path, e);
        }
    }

    private string Locate(string path) => Path.Combine(folder, RepositoryPath.Require(path));

    private UserError Unreadable(string path, Exception e) =>
        new($"{Path.Combine(folder, path)} cannot be read: {e.Message}", "Check that the medium is mounted and whole, and copy the repository again.", e);
}

using Appliance.Core;
using Appliance.UpdateClient;

namespace UpdateClient.Tests.Trust;

/// <summary>A repository's folder as a source, as a mirror may tamper with it: files replaced, files withheld; it notes what was asked for.</summary>
internal sealed class RecordingSource(string folder) : IRepositorySource
{
    /// <summary>What is served instead of a file; null: the file is withheld.</summary>
    public Dictionary<string, byte[]?> Instead { get; } = [];

    public List<(string Path, int Limit)> Asked { get; } = [];

    public Task<byte[]?> TryReadAsync(string path, int limit, CancellationToken cancellationToken)
    {
        Asked.Add((path, limit));
        var file = Path.Combine(folder, path);
        if (!Instead.TryGetValue(path, out var bytes)) bytes = File.Exists(file) ? File.ReadAllBytes(file) : null;
        return bytes?.Length > limit ? throw new UserError($"{path} is larger than {limit} bytes.", "Try another mirror.") : Task.FromResult(bytes);
    }

    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangesAsync(string path, IReadOnlyList<ByteRange> ranges, CancellationToken cancellationToken) => throw new NotSupportedException();
}

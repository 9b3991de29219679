using System.IO.Pipelines;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Workloads;

namespace Appliance.ImageBuilder.Workloads;

/// <summary>Checks a workload's payload while its bytes come by: the release fits its bundle, and its images are there whole.</summary>
internal sealed class WorkloadCheck : IAsyncDisposable
{
    private readonly Pipe _pipe = new();
    private readonly Task<string?> _reading;
    private readonly CancellationToken _cancellationToken;

    /// <summary>Begins a check.</summary>
    public WorkloadCheck(BundleHeader header, CancellationToken cancellationToken)
    {
        _cancellationToken = cancellationToken;
        _reading = ReadAsync(header);
    }

    /// <summary>Takes the next bytes.</summary>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> plain) => await _pipe.Writer.WriteAsync(plain, _cancellationToken);

    /// <summary>The payload is over: what is wrong with it, or null.</summary>
    public async Task<string?> FinishAsync()
    {
        await _pipe.Writer.CompleteAsync();
        return await _reading;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _pipe.Writer.CompleteAsync();
        await ((Task)_reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<string?> ReadAsync(BundleHeader header)
    {
        try
        {
            var release = await WorkloadArchiveReader.VerifyAsync(_pipe.Reader.AsStream(), _cancellationToken);
            return header.Kind != BundleKind.Workload || WorkloadReleaseReader.IsOf(release, header) ? null : $"it is {release.Id} {release.Version} for {release.Architecture}, and the bundle says otherwise";
        }
        catch (Exception e) when (e is InvalidDataException or UserError)
        {
            return e.Message;
        }
        finally
        {
            // Whoever writes on is not held up.
            await _pipe.Reader.CompleteAsync();
        }
    }
}

using Appliance.Core.Bundles;
using Appliance.Core.Delta;
using Appliance.Core.Releases;
using Microsoft.Win32.SafeHandles;

namespace Appliance.UpdateClient.Install;

/// <summary>A patch from the running version: fetched into the state folder, then applied to what runs.</summary>
internal sealed class PatchWay(IRepositorySource source, PatchReference patch, BundlePayload payload, SafeFileHandle old, string stateFolder) : IPayloadWay
{
    private readonly PatchSpool _spool = new(source, patch.Patch, stateFolder);

    /// <inheritdoc/>
    public long DownloadBytes => patch.Patch.Size - _spool.Spooled;

    /// <inheritdoc/>
    public async Task<Stream> OpenAsync(long offset, CancellationToken cancellationToken)
    {
        var file = await _spool.OpenAsync(cancellationToken);
        try
        {
            var reader = new PatchReader(file, old, NativeFile.SizeOf(old));
            if (reader.Length != payload.Size) throw new InvalidDataException("the patch makes another payload");
            var stream = new PatchStream(file, reader);
            await stream.SkipAsync(offset, cancellationToken);
            return stream;
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the patch makes, as a stream.</summary>
    private sealed class PatchStream(Stream file, PatchReader reader) : ForwardStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return ValueTask.FromResult(reader.Read(buffer.Span));
        }

        /// <summary>A patch can only be applied from the front: what the target has already is made again and dropped.</summary>
        public async Task SkipAsync(long bytes, CancellationToken cancellationToken)
        {
            var scratch = new byte[64 << 10];
            while (bytes > 0)
            {
                var read = await ReadAsync(scratch.AsMemory(0, (int)Math.Min(scratch.Length, bytes)), cancellationToken);
                if (read == 0) throw new InvalidDataException("the patch ends too early");
                bytes -= read;
            }
        }

        public override async ValueTask DisposeAsync()
        {
            await file.DisposeAsync();
            await base.DisposeAsync();
        }
    }
}

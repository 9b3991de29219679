using System.Text;
using Appliance.Core;
using Appliance.Core.Images;

namespace Appliance.UpdateClient.Install;

/// <summary>Marks a slot of plain files in a file of its own: the label, and the UUIDs on lines of their own.</summary>
public sealed class FileSlotMarker(string path) : ISlotMarker
{
    /// <inheritdoc/>
    public Task MarkEmptyAsync(CancellationToken cancellationToken) => WriteAsync($"{ImageIdentity.EmptyLabel}\n");

    /// <inheritdoc/>
    public Task MarkInstalledAsync(string label, Guid root, Guid verity, CancellationToken cancellationToken) => WriteAsync($"{label}\n{root}\n{verity}\n");

    private Task WriteAsync(string text)
    {
        DurableFile.Write(path, Encoding.ASCII.GetBytes(text));
        return Task.CompletedTask;
    }
}

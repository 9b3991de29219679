using Appliance.ImageBuilder.Tools;
using Appliance.UpdateClient.Install;

namespace Appliance.SystemTests;

/// <summary>The root of a slot of a disk image, to read, until this is disposed of.</summary>
internal sealed class MountedRoot : IAsyncDisposable
{
    private MountedRoot(string folder) => Folder = folder;

    /// <summary>Its files.</summary>
    public string Folder { get; }

    /// <summary>Mounts it.</summary>
    /// <param name="disk">The disk image.</param>
    /// <param name="partition">Number of the root's partition.</param>
    /// <param name="folder">Where; made when it is missing.</param>
    public static async Task<MountedRoot> MountAsync(string disk, int partition, string folder)
    {
        var root = (await GptTable.ReadAsync(disk, TestContext.Current.CancellationToken))[partition];
        Directory.CreateDirectory(folder);
        await ToolRunner.RunAsync("mount", ["-t", "erofs", "-o", $"ro,loop,offset={root.Offset}", disk, folder]);
        return new(folder);
    }

    public async ValueTask DisposeAsync() => await ToolRunner.RunAsync("umount", [Folder]);
}

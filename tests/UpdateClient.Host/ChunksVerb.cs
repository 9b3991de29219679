using System.Diagnostics;
using Appliance.Core.Chunks;
using Appliance.UpdateClient.Chunks;
using Appliance.UpdateClient.Sources;

namespace Appliance.UpdateClient.Host;

/// <summary>Plans a payload from its chunks with one file as both slots, and prints what that took: for payloads nobody wants to write.</summary>
internal static class ChunksVerb
{
    /// <summary>Plans.</summary>
    public static async Task RunAsync(Arguments options)
    {
        var index = ChunkIndex.Parse(await File.ReadAllBytesAsync(options["index"]));
        using var seed = File.OpenHandle(options["seed"]);
        var length = RandomAccess.GetLength(seed);
        ChunkSeed[] seeds = [new(seed, length, IsTarget: false), new(seed, length, IsTarget: true)];
        var outcome = "planned";
        try
        {
            var way = await ChunkWay.PlanAsync(index, new FolderSource(options["repo"]), options["data"], seeds, seed, 0, null, CancellationToken.None);
            outcome = $"{way.DownloadBytes} bytes";
        }
        catch (InvalidDataException e)
        {
            outcome = e.Message;
        }
        Console.WriteLine($"{Process.GetCurrentProcess().PeakWorkingSet64}\t{outcome}");
    }
}

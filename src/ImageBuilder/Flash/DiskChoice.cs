using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Flash;

/// <summary>Shows the disks there are, and has a person say which one is meant and that it may be overwritten.</summary>
/// <param name="json">True to talk to a program.</param>
internal sealed class DiskChoice(bool json)
{
    private readonly bool _canAsk = !json && !Console.IsInputRedirected;

    /// <summary>Lists the disks and lets a person choose one.</summary>
    /// <param name="all">True to list those that cannot be taken out, too.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="UserError">There is none, or nobody who could choose.</exception>
    public async Task<FlashDisk> ChooseAsync(bool all, CancellationToken cancellationToken)
    {
        var disks = (await DiskList.ReadAllAsync(cancellationToken)).Where(disk => all || disk.IsRemovable).ToList();
        if (json) Console.WriteLine(new JsonObject { ["event"] = "disks", ["disks"] = new JsonArray([.. disks.Select(disk => disk.ToJson())]) }.ToJsonString());
        else if (disks.Count > 0) Print(disks);
        if (disks.Count == 0) throw new UserError("There is no disk or card that can be taken out.", all ? null : "Plug one in, or add --all to see the built-in disks.");
        if (!_canAsk) throw new UserError("Nothing was written: no device was named.", $"Name one of the list, e.g. {disks[0].Path}.");
        var answer = await AskAsync("Name of the disk to overwrite: ", cancellationToken);
        return disks.Find(disk => Names(disk, answer)) ?? throw new UserError($"Nothing was written: {(answer.Length > 0 ? $"{answer} is not in the list" : "no disk was named")}.");
    }

    /// <summary>Has a person agree to lose what is on a disk.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="dangers">What speaks against it.</param>
    /// <param name="yes">True when losing it was agreed to before, of a disk that nothing speaks against.</param>
    /// <param name="force">The disk's name as given for a disk that something speaks against.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="UserError">It must not be overwritten, or nobody agreed.</exception>
    public async Task ConfirmAsync(FlashDisk disk, IReadOnlyList<Danger> dangers, bool yes, string? force, CancellationToken cancellationToken)
    {
        if (force is not null && !Names(disk, force)) throw new UserError($"--force names {force}, and the disk is {disk.Name}.", "Nothing was written. Name the same disk twice.");
        if (force is not null || (yes && dangers.Count == 0)) return;
        if (!_canAsk)
        {
            if (dangers.Count > 0) throw new UserError(dangers[0].What, $"{dangers[0].Mend}\n  To overwrite it all the same: --force {disk.Name}");
            throw new UserError($"Everything on {disk.Path} ({disk.Description}) would be lost.", "Add --yes when that is meant.");
        }
        foreach (var danger in dangers) Console.Error.WriteLine($"Danger: {danger.What}");
        if (disk.Contents.Count > 0) Console.Error.WriteLine($"On it: {string.Join(", ", disk.Contents)}");
        Console.Error.WriteLine($"Everything on {disk.Path} ({disk.Description}) will be lost.");
        var answer = await AskAsync($"Type its name, {disk.Name}, to go on: ", cancellationToken);
        if (!Names(disk, answer)) throw new UserError("Nothing was written.", dangers.Count > 0 ? dangers[0].Mend : null);
    }

    /// <summary>Has a person agree to lose a file.</summary>
    /// <exception cref="UserError">Nobody agreed.</exception>
    public async Task ConfirmAsync(FileInfo file, bool yes, CancellationToken cancellationToken)
    {
        if (yes) return;
        if (!_canAsk) throw new UserError($"There is a file {file.FullName} already.", "Add --yes to have it replaced.");
        if (await AskAsync($"Type yes to replace {file.FullName}: ", cancellationToken) != "yes") throw new UserError("Nothing was written.");
    }

    /// <summary>Unmounts what a person has agreed to lose, and swaps no more to it: the kernel lets nobody write there. What the running system has mounted stays.</summary>
    /// <exception cref="UserError">Something is busy.</exception>
    public static async Task ReleaseAsync(FlashDisk disk, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var swap in disk.Swaps) await ToolRunner.RunAsync("swapoff", [swap], cancellationToken: cancellationToken);
            // What lies deeper first.
            foreach (var mount in disk.Mounts.Where(_ => !disk.IsSystem).OrderByDescending(mount => mount.Length)) await ToolRunner.RunAsync("umount", [mount], cancellationToken: cancellationToken);
        }
        catch (ToolFailure e)
        {
            throw new UserError($"{disk.Path} is in use: {e.Tail.Trim()}", "Close what uses it; fuser -vm says what.", e);
        }
    }

    private static bool Names(FlashDisk disk, string answer) => answer == disk.Name || answer == disk.Path;

    private static async Task<string> AskAsync(string question, CancellationToken cancellationToken)
    {
        Console.Error.Write(question);
        return (await Task.Run(Console.ReadLine, CancellationToken.None).WaitAsync(cancellationToken))?.Trim() ?? "";
    }

    private static void Print(IReadOnlyList<FlashDisk> disks)
    {
        List<string[]> lines = [["NAME", "MODEL", "ON", "SIZE", "HOLDS", ""]];
        lines.AddRange(disks.Select(disk => new[] { disk.Name, disk.Model, disk.Transport, ByteSize.Format(disk.Size), Shorten(string.Join(", ", disk.Contents)), Note(disk) }));
        var widths = Enumerable.Range(0, lines[0].Length).Select(column => lines.Max(line => line[column].Length)).ToArray();
        foreach (var line in lines) Console.WriteLine(string.Join("  ", line.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    private static string Note(FlashDisk disk) =>
        disk.IsSystem ? "the running system" : disk.IsReadOnly ? "write-protected" : disk.Mounts.Count > 0 ? $"mounted on {disk.Mounts[0]}" : disk.Holders.Count > 0 ? $"in use by {disk.Holders[0]}" : "";

    private static string Shorten(string text)
    {
        const int most = 48;
        return text.Length <= most ? text : text[..(most - 1)] + "…";
    }
}

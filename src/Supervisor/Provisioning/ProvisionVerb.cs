using Appliance.Core;
using Appliance.Core.Provisioning;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Service;
using Appliance.UpdateClient.Install;
using Serilog;

namespace Appliance.Supervisor.Provisioning;

/// <summary>The verb <c>provision</c>: appliance-provision.service runs it at every start, before the network.</summary>
internal static class ProvisionVerb
{
    /// <summary>Says beside a file that cannot be used why: whoever wrote it sees it where they wrote it.</summary>
    public const string ErrorName = "provision-error.txt";

    private const string Place = "run/appliance/config";

    /// <summary>Exit code 0, whatever stands on the disk: a file that cannot be used is no fault of the version that runs.</summary>
    /// <param name="root">Root of the files.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<int> RunAsync(string root, CancellationToken cancellationToken)
    {
        Daemon.StartLogging();
        try
        {
            if (Device.RunningSlot.Read(root).FindDisk(root) is not { } disk) return 0;
            var table = await GptTable.ReadAsync(disk, cancellationToken);
            if (table.Partitions.FirstOrDefault(part => part.Label == Core.Images.ImageIdentity.ConfigLabel) is not { } partition) return 0; // a disk from before there was one
            using var mounted = EspMount.Mount(partition.Node, Path.Combine(root, Place), writable: false);
            if (Find(mounted.Folder) is null) return 0;
            mounted.MakeWritable();
            Take(mounted.Folder, new Provisioner(root));
        }
        catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            Log.Error("What stands on the configuration partition could not be looked at: {Reason}", e.Message);
        }
        finally
        {
            await Log.CloseAndFlushAsync();
        }
        return 0;
    }

    /// <summary>Takes the file of a folder, if there is one, and erases it. One that cannot be used stays, with the reason beside it.</summary>
    public static void Take(string folder, Provisioner provisioner)
    {
        if (Find(folder) is not { } path) return;
        var error = Path.Combine(folder, ErrorName);
        try
        {
            if (IsErased(path))
            {
                Erase(path); // the power went then
                return;
            }
            if (new FileInfo(path).Length > ProvisionFile.Largest) throw new UserError($"{Path.GetFileName(path)} is larger than {ByteSize.Format(ProvisionFile.Largest)}.");
            var done = provisioner.Apply(ProvisionFile.Parse(Path.GetFileName(path), File.ReadAllText(path)));
            Erase(path);
            File.Delete(error);
            Log.Information("The device was told on its disk, and has done: {Settings}", done.Count == 0 ? "nothing" : string.Join("; ", done));
        }
        catch (UserError e)
        {
            // Errors name no value of a secret.
            Log.Error("{File} on the configuration partition cannot be used: {Reason}", Path.GetFileName(path), e.Message);
            File.WriteAllText(error, $"{e.Message}\r\n{e.Hint}\r\n");
        }
    }

    private static string? Find(string folder) => ProvisionFile.Names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static bool IsErased(string path) => new FileInfo(path).Length is > 0 and <= ProvisionFile.Largest && !File.ReadAllBytes(path).AsSpan().ContainsAnyExcept((byte)0);

    /// <summary>Overwrites it where it is, as far as the disk does that, and takes it away.</summary>
    private static void Erase(string path)
    {
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write))
        {
            file.Write(new byte[file.Length]);
            file.Flush(flushToDisk: true);
        }
        DurableFile.Delete(path);
    }
}

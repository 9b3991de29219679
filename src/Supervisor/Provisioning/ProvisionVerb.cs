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
            if (Find(mounted.Folder) is not null) MakeWritable(mounted);
            Take(mounted.Folder, new Provisioner(root));
        }
        catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException or InvalidDataException)
        {
            Log.Error("What stands on the configuration partition could not be taken or erased: {Reason}", e.Message);
        }
        finally
        {
            await Log.CloseAndFlushAsync();
        }
        return 0;
    }

    /// <summary>
    /// Takes the file of a folder, if there is one, and erases it. One that cannot be used stays, with the reason beside it; one that was
    /// taken already and is still there is erased only.
    /// </summary>
    public static void Take(string folder, Provisioner provisioner)
    {
        if (Find(folder) is not { } path)
        {
            provisioner.Forget();
            return;
        }
        var (name, error) = (Path.GetFileName(path), Path.Combine(folder, ErrorName));
        try
        {
            if (new FileInfo(path).Length > ProvisionFile.Largest) throw new UserError($"{name} is larger than {ByteSize.Format(ProvisionFile.Largest)}.");
            var content = File.ReadAllBytes(path);
            if (IsBeingErased(content))
            {
                if (content.AsSpan().ContainsAnyExcept((byte)0)) Log.Warning("{File} on the configuration partition is erased in part, and now as a whole", name);
                else Log.Warning("{File} on the configuration partition was empty: it held zeros, as after a power cut while it was erased, or a disk that was pulled before it was written", name);
            }
            else if (provisioner.HasTaken(content))
            {
                Log.Information("{File} on the configuration partition was taken at an earlier start, and is erased now", name);
            }
            else if (provisioner.IsOnTrial)
            {
                Log.Information("{File} on the configuration partition is taken at the next start: what runs is on trial, and a failure of its settings would count as one of the version", name);
                return;
            }
            else
            {
                var done = provisioner.Apply(ProvisionFile.Parse(name, ProvisionFile.TextOf(content)));
                provisioner.Remember(content);
                Log.Information("The device was told on its disk, and has done: {Settings}", done.Count == 0 ? "nothing" : string.Join("; ", done));
            }
            Erase(path);
            File.Delete(error);
            provisioner.Forget();
        }
        catch (UserError e)
        {
            // Errors name no value of a secret.
            Log.Error("{File} on the configuration partition cannot be used: {Reason}", name, e.Message);
            File.WriteAllText(error, $"{e.Message}\r\n{e.Hint}\r\n");
        }
    }

    /// <summary>A file that cannot be erased is taken all the same, once.</summary>
    private static void MakeWritable(EspMount mounted)
    {
        try
        {
            mounted.MakeWritable();
        }
        catch (IOException e)
        {
            Log.Warning("What stands on the configuration partition cannot be erased: {Reason}", e.Message);
        }
    }

    private static string? Find(string folder) => ProvisionFile.Names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>No text has a zero, read as what its byte order mark says: the power went while it was overwritten, of which a disk may have any part.</summary>
    private static bool IsBeingErased(byte[] content) => ProvisionFile.TextOf(content).Contains('\0', StringComparison.Ordinal);

    /// <summary>Overwrites it where it is, as far as the disk does that, and takes it away.</summary>
    private static void Erase(string path)
    {
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.None))
        {
            file.Write(new byte[file.Length]);
            file.Flush(flushToDisk: true);
        }
        DurableFile.Delete(path);
    }
}

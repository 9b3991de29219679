using System.CommandLine;
using Appliance.Core;

namespace Appliance.UpdateServer.Serve;

/// <summary>The verb <c>appliance-server backup</c>: the fleet as it is now, while the server runs.</summary>
internal static class BackupCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var options = new ServerOptionSet();
        var target = new Argument<string>("file") { Description = "File to write." };
        var command = new Command("backup", """
            Writes what the server knows of the fleet into one file, also while it runs. To restore, stop the server and put the file
            in the place of fleet.db in its data folder, without fleet.db-wal and fleet.db-shm beside it. Uploaded files are in the
            folder artifacts and never change; back them up as files. A PostgreSQL database is backed up by pg_dump.

            Example:
              appliance-server backup /backup/fleet.db --data data
            """)
        { target };
        foreach (var option in options.OfDatabase) command.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            await using var database = options.OpenDatabase(result);
            var path = Path.GetFullPath(result.GetValue(target)!);
            if (File.Exists(path)) throw new UserError($"There is a file {path} already.", "Name another one; a backup replaces nothing.");
            await database.BackupAsync(path, cancellationToken);
            Console.WriteLine($"{path}: {ByteSize.Format(new FileInfo(path).Length)}");
            return 0;
        });
        return command;
    }
}

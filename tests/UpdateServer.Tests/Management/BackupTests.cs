using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace UpdateServer.Tests.Management;

public sealed class BackupTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("backup");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task ABackup_MadeWhileTheServerRuns_HasTheFleet()
    {
        var path = Path.Combine(_folder.FullName, "fleet.db");
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);
        await scene.Device("edge-1").DescribeAsync(new { board = "vm" });
        var release = await scene.UploadAsync("app", "1.1", [1]);
        await scene.AssignAsync("edge-1", release);

        await scene.Database.BackupAsync(path, Token);
        await scene.Device("edge-2").PollAsync();

        await using var restored = FleetDatabase.Sqlite(path);
        await restored.MigrateAsync(Token);
        await using var context = restored.Open();
        var device = await context.Devices.Include(row => row.Attributes).SingleAsync(Token);
        Assert.Equal(("edge-1", "vm"), (device.ControllerId, device.Attributes.Single().Value));
        Assert.Equal(release, (await context.Actions.SingleAsync(Token)).ReleaseId);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public async Task WhereNothingCanBeWritten_ItIsSaid_AndNothingIsLeft()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Sqlite);

        Assert.Contains("There is no folder /nowhere", (await Assert.ThrowsAsync<UserError>(() => scene.Database.BackupAsync("/nowhere/fleet.db", Token))).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be written", (await Assert.ThrowsAsync<UserError>(() => scene.Database.BackupAsync("/proc/fleet.db", Token))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OfPostgres_ItSaysWhatDoesIt()
    {
        await using var scene = await ServerScene.StartAsync(DatabaseKind.Postgres);

        Assert.Contains("pg_dump", (await Assert.ThrowsAsync<UserError>(() => scene.Database.BackupAsync(Path.Combine(_folder.FullName, "x"), Token))).Hint, StringComparison.Ordinal);
    }
}

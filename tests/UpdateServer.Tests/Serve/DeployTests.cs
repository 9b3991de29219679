using System.Diagnostics;

namespace UpdateServer.Tests.Serve;

/// <summary>What an administrator installs the server with.</summary>
public sealed class DeployTests
{
    private static readonly string Unit = Path.Combine(Repository.Folder, "src/UpdateServer/deploy/appliance-server.service");

    [Fact]
    public async Task TheUnit_IsOne()
    {
        var copy = Path.Combine(Directory.CreateTempSubdirectory("unit").FullName, "appliance-server.service");
        // The program is not installed here.
        await File.WriteAllTextAsync(copy, (await File.ReadAllTextAsync(Unit, TestContext.Current.CancellationToken)).Replace("/opt/appliance-server/appliance-server", "/bin/true", StringComparison.Ordinal), TestContext.Current.CancellationToken);

        Assert.Equal((0, ""), await RunAsync("verify", "--man=no", "--recursive-errors=no", copy));
    }

    /// <summary>systemd's own measure, from 0 (shut) to 10 (open).</summary>
    [Fact]
    public async Task TheUnit_LeavesLittleToAnIntruder() => Assert.Equal(0, (await RunAsync("security", "--offline=true", "--threshold=20", "--no-pager", Unit)).ExitCode);

    private static async Task<(int ExitCode, string Said)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("systemd-analyze", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        await output;
        return (process.ExitCode, await error);
    }
}

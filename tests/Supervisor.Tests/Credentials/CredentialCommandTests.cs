using Appliance.Core;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Processes;

namespace Supervisor.Tests.Credentials;

public sealed class CredentialCommandTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("command");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task AProgramThatHangs_IsEnded_WithItsChildren_HoweverMuchTheyPrint()
    {
        var ids = Path.Combine(_folder.FullName, "ids");
        var command = new ProcessCommand("/bin/sh", "-c", $"yes hunter2 & sleep 10000 & echo $$ $! > {ids}; wait") { Limit = TimeSpan.FromSeconds(10) };
        var error = await Assert.ThrowsAsync<UserError>(() => CredentialCommand.RunAsync(command, isSecret: true, TestContext.Current.CancellationToken));
        Assert.Contains("did not end within", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        foreach (var id in File.ReadAllText(ids).Trim().Split(' ')) await Eventually.IsTrueAsync(() => !Directory.Exists($"/proc/{id}"), $"the end of {id}");
    }

    [Fact]
    public async Task OfWhatItPrints_TheLastLinesAreKept()
    {
        var command = new ProcessCommand("/bin/sh", "-c", "seq 1 100000; head -c 1000000 /dev/zero | tr '\\0' x");
        var told = await CredentialCommand.RunAsync(command, isSecret: true, TestContext.Current.CancellationToken);
        Assert.Equal(command.TailLines, told.Count);
        Assert.Equal("100000", told[^2]);
        Assert.Equal(command.LongestLine, told[^1].Length);
    }

    [Fact]
    public async Task WhyItFailed_IsToldWhereItPrintsNoSecret()
    {
        var command = new ProcessCommand("/bin/sh", "-c", "echo the disk is full.; exit 3");
        Assert.Equal("/bin/sh failed with exit code 3: the disk is full.", (await Assert.ThrowsAsync<UserError>(() => CredentialCommand.RunAsync(command, isSecret: false, TestContext.Current.CancellationToken))).Message);
        Assert.Equal("/bin/sh failed with exit code 3.", (await Assert.ThrowsAsync<UserError>(() => CredentialCommand.RunAsync(command, isSecret: true, TestContext.Current.CancellationToken))).Message);
    }
}

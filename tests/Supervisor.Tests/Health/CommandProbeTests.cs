using System.Diagnostics;
using Appliance.Core.Health;
using Appliance.Supervisor.Health;
using Appliance.Supervisor.Health.Probes;

namespace Supervisor.Tests.Health;

public sealed class CommandProbeTests
{
    private static Task<ProbeResult> TryAsync(params string[] command) =>
        new CommandProbe(new HealthCheck { Name = "x", Command = command }).TryAsync(TestContext.Current.CancellationToken);

    [Theory]
    [InlineData("echo one; echo two", true, "two")]
    [InlineData("true", true, "exit code 0")]
    [InlineData("echo broken >&2; exit 3", false, "exit code 3 broken")]
    public async Task TheExitCodeDecides_TheLastLineIsShown(string script, bool passes, string message)
    {
        var result = await TryAsync("/bin/sh", "-c", script);

        Assert.Equal((passes, message), (result.Passed, result.Message));
    }

    [Fact]
    public async Task AProgramThatIsMissing_IsNamed() => Assert.Equal("/usr/bin/nothing does not exist", (await TryAsync("/usr/bin/nothing")).Message);

    [Fact]
    public async Task AChildLeftBehind_HoldsNothingUp()
    {
        var watch = Stopwatch.StartNew();

        Assert.True((await TryAsync("/bin/sh", "-c", "sleep 1000 & echo fine")).Passed);

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30));
    }
}

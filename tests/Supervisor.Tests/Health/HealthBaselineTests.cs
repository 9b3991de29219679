using Appliance.Supervisor.Health;

namespace Supervisor.Tests.Health;

public sealed class HealthBaselineTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("baseline");

    private string Path => System.IO.Path.Combine(_folder.FullName, "baseline.json");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task ABaseline_ComesBackAsItWasTaken()
    {
        using var scene = await MonitorScene.StartAsync(
        [
            new SetProbe("a"),
            new SetProbe("b") { Result = ProbeResult.Fail("failed: x") with { Failing = ["x.service"], Working = ["w.service"], Unfinished = ["u.service"] } },
        ]);
        scene.Monitor.TakeBaseline("1.0").Write(Path);

        var read = HealthBaseline.TryRead(Path)!;

        Assert.Equal(("1.0", DateTimeOffset.UnixEpoch), (read.Version, read.TakenAt));
        Assert.Equal(("http", ProbeOutcome.Passed, "fine"), (read.Checks["a"].Kind, read.Checks["a"].Outcome, read.Checks["a"].Message));
        Assert.Equal((ProbeOutcome.Failed, "x.service", "w.service", "u.service"), (read.Checks["b"].Outcome, read.Checks["b"].Failing[0], read.Checks["b"].Working[0], read.Checks["b"].Unfinished[0]));
    }

    [Fact]
    public void NoFile_IsNoBaseline() => Assert.Null(HealthBaseline.TryRead(Path));

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{\"version\":\"1.0\"}")]
    [InlineData("{\"version\":\"1.0\",\"takenAt\":\"2026-01-01T00:00:00Z\",\"checks\":{\"a\":{\"kind\":\"http\",\"outcome\":\"Sideways\",\"message\":\"\"}}}")]
    public void ADamagedFile_IsNamed(string text)
    {
        File.WriteAllText(Path, text);

        Assert.Contains(Path, Assert.Throws<InvalidDataException>(() => HealthBaseline.TryRead(Path)).Message, StringComparison.Ordinal);
    }
}

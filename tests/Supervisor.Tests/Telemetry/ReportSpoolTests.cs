using Appliance.Supervisor.Telemetry;

namespace Supervisor.Tests.Telemetry;

/// <summary>The line of reports on the disk.</summary>
public sealed class ReportSpoolTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("spool");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void TheOldest_GoFirst_AndWhatIsTakenIsGone()
    {
        var spool = new ReportSpool(_folder.FullName, 100);
        spool.Add("logs", [1]);
        spool.Add("metrics", [2, 2]);

        var first = spool.Oldest!;
        Assert.Equal(("logs", 1L, 3L), (first.Kind, first.Bytes, spool.Bytes));
        spool.Remove(first, taken: true);

        Assert.Equal(("metrics", 2L, 1L, 0L), (spool.Oldest!.Kind, spool.Bytes, spool.Sent, spool.Dropped));
        Assert.Equal([2, 2], File.ReadAllBytes(spool.Oldest.Path));
        Assert.Single(_folder.GetFiles());
    }

    [Fact]
    public void AboveTheCap_TheOldestGo_AndAreCounted()
    {
        var spool = new ReportSpool(_folder.FullName, 100);
        for (var i = 0; i < 10; i++) spool.Add("logs", new byte[30]);

        Assert.Equal((90L, 7L, 8L), (spool.Bytes, spool.Dropped, spool.Oldest!.Number));
        spool.Add("logs", new byte[101]);
        Assert.Equal((90L, 8L), (spool.Bytes, spool.Dropped));
        Assert.Equal(90, _folder.GetFiles().Sum(file => file.Length));
    }

    [Fact]
    public void AReportThatWasDroppedWhileItWasSent_IsCountedOnce()
    {
        var spool = new ReportSpool(_folder.FullName, 100);
        spool.Add("logs", new byte[60]);
        var under = spool.Oldest!;
        spool.Add("logs", new byte[60]);

        spool.Remove(under, taken: true);

        Assert.Equal((60L, 1L, 1L, 2L), (spool.Bytes, spool.Sent, spool.Dropped, spool.Oldest!.Number));
    }

    [Fact]
    public void AfterARestart_TheLineIsTheSame_WithoutWhatWasHalfWritten()
    {
        var before = new ReportSpool(_folder.FullName, 100);
        for (byte i = 0; i < 3; i++) before.Add("logs", [i]);
        before.Remove(before.Oldest!, taken: true);
        File.WriteAllText(Path.Combine(_folder.FullName, ".000000000004.logs.gz.0123.tmp"), "cut");
        File.WriteAllText(Path.Combine(_folder.FullName, "README"), "not a report");

        var spool = new ReportSpool(_folder.FullName, 100);
        spool.Add("logs", [9]);

        Assert.Equal([1, 2, 9], Drain(spool));
        Assert.Equal(["README"], _folder.GetFiles().Select(file => file.Name));
    }

    [Fact]
    public void ASmallerCap_AppliesToWhatWaits()
    {
        var before = new ReportSpool(_folder.FullName, 100);
        for (byte i = 0; i < 3; i++) before.Add("logs", [i, i]);

        var spool = new ReportSpool(_folder.FullName, 4);

        Assert.Equal((4L, 1L), (spool.Bytes, spool.Dropped));
        Assert.Equal([1, 2], Drain(spool));
    }

    [Fact]
    public void ADiskThatTakesNothing_CostsTheReport_AndNothingElse()
    {
        var spool = new ReportSpool(Path.Combine(_folder.FullName, "line"), 100);
        Directory.Delete(Path.Combine(_folder.FullName, "line"));

        spool.Add("logs", [1]);

        Assert.Equal((0L, 1L, null), (spool.Bytes, spool.Dropped, spool.Oldest));
    }

    private static List<byte> Drain(ReportSpool spool)
    {
        var first = new List<byte>();
        while (spool.Oldest is { } report)
        {
            first.Add(File.ReadAllBytes(report.Path)[0]);
            spool.Remove(report, taken: true);
        }
        return first;
    }
}

using Appliance.Core.Health;
using FsCheck;
using FsCheck.Fluent;

namespace Core.Tests.Health;

public sealed class HealthDeclarationsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("health");

    public void Dispose() => _folder.Delete(recursive: true);

    private string Image => Path.Combine(_folder.FullName, "image");

    private string Local => Path.Combine(_folder.FullName, "local");

    private static string Write(string folder, string name, string text)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private HealthDeclarations Read() => HealthDeclarations.Read(Image, Local);

    private static string Checks(params string[] names) => $"checks: [{string.Join(", ", names.Select(name => $"{{ name: {name}, unit: {name}.service }}"))}]\n";

    [Fact]
    public void NoFiles_AreTheDefaults()
    {
        var read = Read();

        Assert.Empty(read.Problems);
        Assert.Equal((TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(30)), (read.Settings.Timeout, read.Settings.Stabilisation));
        Assert.Empty(read.Settings.Checks);
    }

    [Fact]
    public void ALocalFile_AddsItsChecks()
    {
        Write(Image, "50-image.yaml", "timeout: 9min\n" + Checks("a"));
        Write(Local, "60-mine.yaml", "stabilisation: 1min\n" + Checks("b"));
        Write(Local, "notes.txt", "not ours");

        var read = Read();

        Assert.Empty(read.Problems);
        Assert.Equal(["a", "b"], read.Settings.Checks.Select(check => check.Name));
        Assert.Equal((TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(1)), (read.Settings.Timeout, read.Settings.Stabilisation));
    }

    [Fact]
    public void ALocalFileOfTheSameName_ReplacesTheImages()
    {
        Write(Image, "50-image.yaml", "timeout: 9min\n" + Checks("a"));
        Write(Local, "50-image.yaml", "timeout: 1min\n" + Checks("b"));

        var read = Read();

        Assert.Empty(read.Problems);
        Assert.Equal(("b", TimeSpan.FromMinutes(1)), (Assert.Single(read.Settings.Checks).Name, read.Settings.Timeout));
    }

    [Fact]
    public void ALinkToDevNull_TakesAnImageFileAway()
    {
        Write(Image, "50-image.yaml", Checks("a"));
        Directory.CreateDirectory(Local);
        File.CreateSymbolicLink(Path.Combine(Local, "50-image.yaml"), "/dev/null");

        var read = Read();

        Assert.Empty(read.Problems);
        Assert.Empty(read.Settings.Checks);
    }

    [Theory]
    [InlineData("timeout: 1h\n", ":1:10: timeout: ")]
    [InlineData("checks:\n- { name: a, unit: easy.service, severity: warn }\n", ":2:3: checks[0]: a check is called a already")]
    public void ALocalFileUnderAnotherName_CannotWeakenTheImagesGate(string text, string message)
    {
        Write(Image, "50-image.yaml", "timeout: 9min\n" + Checks("a"));
        var mine = Write(Local, "10-mine.yaml", text);

        var read = Read();

        Assert.StartsWith(mine + message, Assert.Single(read.Problems).Message, StringComparison.Ordinal);
        Assert.Contains("50-image.yaml", read.Problems[0].Message, StringComparison.Ordinal);
        Assert.Equal(("a.service", true, TimeSpan.FromMinutes(9)), (read.Settings.Checks[0].Unit, read.Settings.Checks[0].Gate, read.Settings.Timeout));
    }

    [Theory]
    [InlineData("{ not yaml", ":2:1: this is not valid YAML")]
    [InlineData("", ":1:1: the file is empty; expected a mapping with timeout, stabilisation and checks")]
    [InlineData("timeout: soon\n", ":1:10: timeout: \"soon\" found, expected a time of 1s to 3600s such as 10s, 5min or 1h")]
    [InlineData("checks: [{ name: x, unti: a.service }]\n", ":1:21: checks[0].unti: there is no such key; did you mean unit?")]
    public void ALocalFile_CannotHideABrokenImageFile(string text, string message)
    {
        var broken = Write(Image, "50-image.yaml", text);
        Write(Local, "60-mine.yaml", "timeout: 1min\n" + Checks("b"));

        var read = Read();

        Assert.StartsWith(broken + message, Assert.Single(read.Problems).Message, StringComparison.Ordinal);
        Assert.Equal(broken, read.Problems[0].File);
        Assert.Equal("b", Assert.Single(read.Settings.Checks).Name);
    }

    [Fact]
    public void WhatIsWritten_ComesBack() => Prop.ForAll(Arb.From(Gen.ListOf(AnyCheck()).Select(list => list.Take(20).ToList())), checks =>
    {
        checks = checks.Select((check, i) => check with { Name = $"check-{i}" }).ToList();
        var settings = new HealthSettings { Timeout = TimeSpan.FromMinutes(7), Stabilisation = TimeSpan.Zero, Checks = checks };
        Write(Image, "50-image.yaml", HealthYaml.Write(settings));

        var read = Read();

        Assert.Empty(read.Problems);
        Assert.Equal((settings.Timeout, settings.Stabilisation), (read.Settings.Timeout, read.Settings.Stabilisation));
        Assert.Equal(checks.Count, read.Settings.Checks.Count);
        foreach (var (written, back) in checks.Zip(read.Settings.Checks))
        {
            Assert.Equal(written.Command ?? [], back.Command ?? []);
            Assert.Equal(written with { Command = null, Unit = "x" }, back with { Command = null, Unit = "x" });
        }
    }).QuickCheckThrowOnFailure();

    private static Gen<HealthCheck> AnyCheck()
    {
        var argument = Gen.Elements("a", "#", ": ", "\"q\"", "\\", "ünï", "\u2028", "😀", "- x", "{}", "true", "&a", "%", "'", "a\u0085b");
        return from kind in Gen.OneOf(
                   Gen.Constant(new HealthCheck { Name = "", Unit = "a@b\\x2d.service" }),
                   Gen.Constant(new HealthCheck { Name = "", Http = "https://[::1]:8443/a?b=c&d=%20#e" }),
                   Gen.Constant(new HealthCheck { Name = "", Tcp = "[::1]:80" }),
                   Gen.ListOf(argument).Select(arguments => new HealthCheck { Name = "", Command = ["/bin/x y", .. arguments] }),
                   Gen.Constant(new HealthCheck { Name = "", Disk = new DiskRequirement("/mnt/a #b", 12345, null) }),
                   Gen.Constant(new HealthCheck { Name = "", Disk = new DiskRequirement("/", null, 7) }),
                   Gen.Constant(new HealthCheck { Name = "", TimeSync = true }),
                   Gen.Constant(new HealthCheck { Name = "", UpdateServer = true }),
                   Gen.Constant(new HealthCheck { Name = "", Node = true }),
                   Gen.Constant(new HealthCheck { Name = "", Workloads = true }))
               from seconds in Gen.Choose(1, 600)
               from interval in Gen.Choose(1, 3600)
               from successes in Gen.Choose(1, 100)
               from failures in Gen.Choose(1, 100)
               from gate in Gen.Elements(true, false)
               select kind with { Timeout = TimeSpan.FromSeconds(seconds), Interval = TimeSpan.FromSeconds(interval), Successes = successes, Failures = failures, Gate = gate };
    }
}

using Appliance.Core;
using Appliance.ImageBuilder.Build;
using Appliance.ImageBuilder.Containers;

namespace ImageBuilder.Tests.Containers;

public sealed class BuildContextTests : IDisposable
{
    private readonly Temporary _folder = new();

    public void Dispose() => _folder.Dispose();

    private ContainerBuildOptions Options(string definition, string? context = null) => new()
    {
        Build = new BuildOptions { DefinitionPath = definition, OutputFolder = _folder["out"], CacheFolder = _folder["out/cache"] },
        Context = context,
    };

    private string Definition(string folder, string overlay)
    {
        Directory.CreateDirectory(_folder[folder]);
        return _folder.Write($"{folder}/edge.yaml", $"id: edge\nversion: 1.0.0\nboard: uefi-x86_64\noverlays:\n  - {overlay}\n");
    }

    [Fact]
    public void ADefinitionOutsideOfTheClone_GoesAlongWithItsFolder()
    {
        Directory.CreateDirectory(_folder["mine/files"]);
        var definition = Definition("mine", "files");

        var context = BuildContext.For(Options(definition), _ => null);

        Assert.Equal("/work/context/edge.yaml", context.Folders.Find(definition));
        Assert.Equal("/work/context/files/etc/motd", context.Folders.Find(_folder["mine/files/etc/motd"]));
        Assert.Equal("edge", context.Definition.Id);
    }

    [Fact]
    public void WhatTheContainerWouldNotGet_IsFoundOutFirst_AndAWiderContextBringsIt()
    {
        Directory.CreateDirectory(_folder["shared"]);
        var definition = Definition("mine", "../shared");

        var error = Assert.Throws<UserError>(() => BuildContext.For(Options(definition), _ => null));
        var context = BuildContext.For(Options(definition, _folder.Folder), _ => null);

        Assert.Contains($"would not get {_folder["shared"]}", error.Message, StringComparison.Ordinal);
        Assert.Contains("--context", error.Hint, StringComparison.Ordinal);
        Assert.Equal("/work/context/shared", context.Folders.Find(_folder["shared"]));
        Assert.Equal("/work/context/mine/edge.yaml", context.Folders.Find(definition));
    }

    [Fact]
    public void InAClone_TheWholeCloneIsTheContext()
    {
        Directory.CreateDirectory(_folder["clone/.git"]);
        Directory.CreateDirectory(_folder["clone/shared"]);
        var definition = Definition("clone/images", "../shared");

        Assert.Equal("/work/context/images/edge.yaml", BuildContext.For(Options(definition), _ => null).Folders.Find(definition));
    }

    [Fact]
    public async Task TheArchive_HoldsTheProgramAndTheCertificates()
    {
        Directory.CreateDirectory(_folder["mine/files"]);
        var certificates = _folder.Write("ca.pem", "certificates");
        var context = BuildContext.For(Options(Definition("mine", "files")), name => name == "SSL_CERT_FILE" ? certificates : null);
        using var archive = new MemoryStream();

        await context.WriteAsync(archive, _ => { }, TestContext.Current.CancellationToken);

        archive.Position = 0;
        var names = new List<string>();
        await using var reader = new System.Formats.Tar.TarReader(archive);
        while (await reader.GetNextEntryAsync(cancellationToken: TestContext.Current.CancellationToken) is { } entry) names.Add(entry.Name);
        Assert.Contains(BuildContext.ProgramFile[1..], names);
        Assert.Contains("etc/ssl/certs/ca-certificates.crt", names);
        Assert.Contains("work/product/src/Supervisor/Supervisor.csproj", names);
        Assert.Contains("work/context/edge.yaml", names);
        Assert.DoesNotContain(names, name => name.StartsWith("work/product/tests/", StringComparison.Ordinal) || name.Contains("/obj/", StringComparison.Ordinal));
    }

    [Fact]
    public void AFileGivenByHandThatIsNotThere_IsAMistake()
    {
        Directory.CreateDirectory(_folder["mine/files"]);
        var options = Options(Definition("mine", "files"));

        var error = Assert.Throws<UserError>(() => BuildContext.For(options with { Build = options.Build with { Supervisor = _folder["none"] } }, _ => null));

        Assert.Contains(_folder["none"], error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_OfTheContainer_NameThePathsOfThisMachine()
    {
        var folders = new FolderMap();
        folders.Add("/home/anna/product", "/work/product");
        folders.Add("/home/anna/product/out", "/work/state/out-1");

        Assert.Equal("/home/anna/product/image/a.yaml:3:1: no /home/anna/product/out/x", folders.Translate("/work/product/image/a.yaml:3:1: no /work/state/out-1/x"));
        Assert.Equal("/work/state/out-1/x", folders.Find("/home/anna/product/out/x"));
        Assert.Null(folders.Find("/home/anna/productive"));
    }
}

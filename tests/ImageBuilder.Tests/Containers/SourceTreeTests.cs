using System.Formats.Tar;
using Appliance.ImageBuilder.Containers;

namespace ImageBuilder.Tests.Containers;

public sealed class SourceTreeTests : IDisposable
{
    private readonly Temporary _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WhatBuildsAndToolsLeave_StaysHere_AndAnOverlaysBinGoesAlong()
    {
        Write("src/App/App.csproj", "src/App/Program.cs", "src/App/bin/App.dll", "src/App/obj/x", "image/overlays/x/usr/bin/tool", ".git/HEAD", "out/cache/tree", "keep/out/file");

        var names = await NamesAsync(new SourceTree(_folder.Folder, [_folder["out"]], GitModes.None));

        Assert.Equal(["work/image/overlays/x/usr/bin/tool", "work/keep/out/file", "work/src/App/App.csproj", "work/src/App/Program.cs"], names.Where(entry => entry.EntryType == TarEntryType.RegularFile).Select(entry => entry.Name));
    }

    [Fact]
    public async Task ModesAndLinks_Stay()
    {
        Write("run");
        File.SetUnixFileMode(_folder["run"], (UnixFileMode)0b111_101_000);
        File.CreateSymbolicLink(_folder["link"], "/dev/null");

        var entries = (await NamesAsync(new SourceTree(_folder.Folder, [], GitModes.None))).ToDictionary(entry => entry.Name);

        Assert.Equal((UnixFileMode)0b111_101_000, entries["work/run"].Mode);
        Assert.Equal((TarEntryType.SymbolicLink, "/dev/null"), (entries["work/link"].EntryType, entries["work/link"].LinkName));
    }

    [Fact]
    public async Task WhereLinksCannotBeMade_GitsIndexSaysWhichFilesAreLinks()
    {
        Write("image/unit");
        await File.WriteAllTextAsync(_folder["image/unit"], "../lib/unit", TestContext.Current.CancellationToken);
        var modes = GitModes.Parse(["120000 0123456789 0\timage/unit", "100755 0123456789 0\tbuild.sh", "100644 0123456789 0\ta b"]);

        var entry = (await NamesAsync(new SourceTree(_folder.Folder, [], modes))).Single(entry => entry.Name == "work/image/unit");

        Assert.Equal((TarEntryType.SymbolicLink, "../lib/unit"), (entry.EntryType, entry.LinkName));
        Assert.True(modes.IsExecutable("build.sh"));
        Assert.False(modes.IsExecutable("a b"));
    }

    private void Write(params string[] files)
    {
        foreach (var file in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder[file])!);
            File.WriteAllText(_folder[file], file);
        }
    }

    private static async Task<List<TarEntry>> NamesAsync(SourceTree tree)
    {
        using var archive = new MemoryStream();
        await using (var writer = new TarWriter(archive, leaveOpen: true)) await tree.WriteAsync(writer, "work", null, TestContext.Current.CancellationToken);
        archive.Position = 0;
        var entries = new List<TarEntry>();
        await using var reader = new TarReader(archive);
        while (await reader.GetNextEntryAsync(copyData: true, TestContext.Current.CancellationToken) is { } entry) entries.Add(entry);
        return entries;
    }
}

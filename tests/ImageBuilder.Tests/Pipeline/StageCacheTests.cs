using Appliance.Core;
using Appliance.ImageBuilder.Pipeline;

namespace ImageBuilder.Tests.Pipeline;

public sealed class StageCacheTests : IDisposable
{
    private static readonly string Key = new('a', 64);
    private readonly Temporary _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Create_AFailingStage_LeavesNothingUnderItsName()
    {
        using var cache = await StageCache.OpenAsync(_folder.Folder);

        await Assert.ThrowsAsync<InvalidOperationException>(() => cache.CreateAsync("erofs", Key, folder =>
        {
            File.WriteAllText(Path.Combine(folder, "half"), "x");
            throw new InvalidOperationException();
        }));

        Assert.Null(cache.Find("erofs", Key));
        Assert.Empty(Directory.EnumerateDirectories(_folder.Folder));
    }

    [Fact]
    public async Task Open_AfterABuildWasKilled_ClearsWhatItLeft()
    {
        Directory.CreateDirectory(_folder["erofs-aaaaaaaaaaaaaaaa.partial/deep"]);

        using var cache = await StageCache.OpenAsync(_folder.Folder);

        Assert.Empty(Directory.EnumerateDirectories(_folder.Folder));
    }

    [Fact]
    public async Task Open_WhileAnotherBuildRuns_IsRefused()
    {
        using var first = await StageCache.OpenAsync(_folder.Folder);

        var error = await Assert.ThrowsAsync<UserError>(() => StageCache.OpenAsync(_folder.Folder));

        Assert.Contains("in use", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prune_ManyResults_KeepsTheLastUsedOfEachStage()
    {
        using var cache = await StageCache.OpenAsync(_folder.Folder);
        for (var i = 0; i < 6; i++)
        {
            var path = await cache.CreateAsync("uki", $"{i}".PadLeft(64, '0')[48..].PadRight(64, '0'), _ => Task.CompletedTask);
            Directory.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(i - 10));
        }
        Assert.NotNull(cache.Find("uki", "0".PadLeft(64, '0')[48..].PadRight(64, '0'))); // used just now

        await cache.PruneAsync();

        Assert.Equal(["uki-0000000000000000", "uki-0000000000000004", "uki-0000000000000005"], Directory.EnumerateDirectories(_folder.Folder).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void AddTree_AnyChange_ChangesTheKey()
    {
        Directory.CreateDirectory(_folder["tree/a"]);
        _folder.Write("tree/a/file", "one");
        var keys = new List<string> { TreeKey() };

        _folder.Write("tree/a/file", "two");
        keys.Add(TreeKey());
        File.SetUnixFileMode(_folder["tree/a/file"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        keys.Add(TreeKey());
        File.CreateSymbolicLink(_folder["tree/link"], "a");
        keys.Add(TreeKey());
        Directory.CreateDirectory(_folder["tree/empty"]);
        keys.Add(TreeKey());

        Assert.Equal(keys.Count, keys.Distinct().Count());
    }

    [Fact]
    public void AddTree_OnlyTimesDiffer_KeepsTheKey()
    {
        Directory.CreateDirectory(_folder["tree"]);
        _folder.Write("tree/file", "one");
        var before = TreeKey();

        File.SetLastWriteTimeUtc(_folder["tree/file"], DateTime.UnixEpoch);

        Assert.Equal(before, TreeKey());
    }

    private string TreeKey()
    {
        using var key = new StageKey().AddTree("tree", _folder["tree"]);
        return key.Value();
    }
}

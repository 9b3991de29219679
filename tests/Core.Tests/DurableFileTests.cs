using Appliance.Core;

namespace Core.Tests;

public sealed class DurableFileTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("durable");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Write_OverAnOldFile_ReplacesItWholeAndLeavesNothingElse()
    {
        var path = Path.Combine(_folder.FullName, "state.json");
        File.WriteAllText(path, "a much longer old content");

        DurableFile.Write(path, "new"u8);

        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Single(_folder.GetFileSystemInfos());
    }

    [Fact]
    public void Write_WhereTheTargetIsAFolder_FailsAndLeavesNoTemporaryFile()
    {
        var path = Directory.CreateDirectory(Path.Combine(_folder.FullName, "taken")).FullName;

        Assert.ThrowsAny<Exception>(() => DurableFile.Write(path, "new"u8));

        Assert.Equal("taken", Assert.Single(_folder.GetFileSystemInfos()).Name);
    }
}

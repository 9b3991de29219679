using Appliance.Core;

namespace Supervisor.Tests.Credentials;

/// <summary>The file itself: whose it is, where it is, what can be replaced.</summary>
public sealed class FileCredentialTests : IDisposable
{
    private const UnixFileMode ForTheGroup = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
    private readonly FileScene _scene = new();

    public void Dispose() => _scene.Dispose();

    private string Secret => _scene["etc/secret"];

    /// <summary>Whoever owns a folder on the way can put a link in its place.</summary>
    [Fact]
    public async Task AFolderThatIsSomebodyElsesLink_IsNotFollowed()
    {
        Directory.Move(_scene["etc"], _scene["elsewhere"]);
        File.CreateSymbolicLink(_scene["etc"], _scene["elsewhere"]);
        StateDevice.Run("chown", "--no-dereference", "1234", _scene["etc"]);

        Assert.Contains("is a link of user 1234", (await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync())).Message, StringComparison.Ordinal);

        StateDevice.Run("chown", "--no-dereference", "0", _scene["etc"]);
        await _scene.RotateAsync();
        Assert.Equal(1, await _scene.UsedAsync());
    }

    /// <summary>A power cut between writing and renaming leaves a secret beside the file.</summary>
    [Fact]
    public async Task WhatAPowerCutLeftOfWritingIt_Goes()
    {
        var left = _scene.Write($"etc/.secret.{Guid.NewGuid():N}.tmp", "half a sec");
        var others = _scene.Write("etc/.other.tmp", "somebody else's");

        await _scene.RotateAsync();

        Assert.False(File.Exists(left));
        Assert.True(File.Exists(others));
    }

    [Fact]
    public async Task OwnerGroupAndMode_AreKept_AndComeBack()
    {
        StateDevice.Run("chown", "1234:5678", Secret);
        File.SetUnixFileMode(Secret, ForTheGroup); // more than the umask leaves
        await _scene.RotateAsync();
        Assert.Equal(1, await _scene.UsedAsync());
        Assert.Equal(new FileStatus(1234, 5678, ForTheGroup), FileStatus.Of(Secret));
        Assert.Equal(FolderMode.Private, File.GetUnixFileMode(_scene["var/rotations/vpn"])); // and what is kept in it is root's

        // Whatever the settings say of the new one, the old one comes back as it was.
        _scene.Settings = _scene.Settings with { Mode = "0604" };
        _scene.Bad = "secret 2";
        await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
        Assert.Equal(1, await _scene.UsedAsync());
        Assert.Equal(new FileStatus(1234, 5678, ForTheGroup), FileStatus.Of(Secret));

        await _scene.RotateAsync();
        Assert.Equal(3, await _scene.UsedAsync());
        Assert.Equal(new FileStatus(1234, 5678, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead), FileStatus.Of(Secret));
    }

    [Fact]
    public async Task AFileThatIsNew_IsRootsAlone()
    {
        File.Delete(Secret);
        await _scene.RotateAsync();
        Assert.Equal(new FileStatus(0, 0, UnixFileMode.UserRead | UnixFileMode.UserWrite), FileStatus.Of(Secret));
    }

    [Fact]
    public async Task ALinkOfRoot_IsFollowed()
    {
        Directory.CreateDirectory(_scene["etc/vpn"]);
        File.Move(Secret, _scene["etc/vpn/key"]);
        File.CreateSymbolicLink(Secret, "vpn/key");
        await _scene.RotateAsync();
        Assert.Equal(1, await _scene.UsedAsync());
        Assert.Equal("vpn/key", new FileInfo(Secret).LinkTarget);

        _scene.Bad = "secret 2";
        await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
        Assert.Equal(1, await _scene.UsedAsync());
        Assert.Equal("vpn/key", new FileInfo(Secret).LinkTarget);
    }

    [Fact]
    public async Task ALinkOfSomebodyElse_IsRefused()
    {
        var shadow = _scene.Write("shadow", "root's");
        File.Delete(Secret);
        File.CreateSymbolicLink(Secret, shadow);
        StateDevice.Run("chown", "--no-dereference", "1234", Secret);
        Assert.Contains("is a link of user 1234", (await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync())).Message, StringComparison.Ordinal);
        Assert.Equal("root's", File.ReadAllText(shadow));
        Assert.Contains("is a link of user 1234", _scene.Engine.TryStatus(_scene.Credential)!.Trouble, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFileThatIsMountedByItself_IsRefused_BeforeAnythingIsMade()
    {
        StateDevice.Run("mount", "--bind", Secret, Secret);
        try
        {
            var error = await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
            Assert.Contains("failed while it was preparing", error.Message, StringComparison.Ordinal);
            Assert.Contains("is mounted by itself", error.Message, StringComparison.Ordinal);
            Assert.Contains("persist its folder /etc", error.Hint, StringComparison.Ordinal);
            Assert.Equal("0", File.ReadAllText(_scene["count"]));
            Assert.Equal(0, await _scene.UsedAsync());
        }
        finally
        {
            StateDevice.Run("umount", Secret);
        }
        await _scene.RotateAsync();
        Assert.Equal(1, await _scene.UsedAsync());
    }
}

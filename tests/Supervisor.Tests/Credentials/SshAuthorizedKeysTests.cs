using System.Text;
using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

public sealed class SshAuthorizedKeysTests : IDisposable
{
    private readonly SshKeysScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task AListStandsAboveTheImage_ForThoseWhomItNames_AndTheNextOneTakesItsPlace()
    {
        _scene.NewClient(7);
        _scene.Write("image/daemon", _scene.NewClient(7), DurableFile.Readable);
        Assert.True(_scene.GetsIn(0));
        Assert.Equal("those of the image", _scene.Credential.Read()!.Identity);

        await _scene.RotateAsync();
        Assert.Equal((false, true), (_scene.GetsIn(0), _scene.GetsIn(1)));
        Assert.True(_scene.GetsIn(7, "daemon")); // whom it does not name
        Assert.Equal("serial 1: nobody 1", _scene.Credential.Read()!.Identity);

        Assert.Equal(RotationStep.Idle, (await _scene.RotateAsync()).Step); // nothing of the old one is kept
        Assert.Equal((false, false, true), (_scene.GetsIn(0), _scene.GetsIn(1), _scene.GetsIn(2)));
        Assert.Equal(["2"], Directory.EnumerateDirectories(_scene.Folder).Select(Path.GetFileName));
        await _scene.BootAsync();
        Assert.True(_scene.GetsIn(2));
    }

    [Fact]
    public async Task OneWithoutKeys_DoesNotGetIn_AndAListOfNobodyLeavesTheImagesKeys()
    {
        await _scene.RotateAsync(given: _scene.Sign("serial: 1\nusers: [{ name: nobody, sshKeys: [] }]\n"));
        Assert.False(_scene.GetsIn(0));
        await _scene.RotateAsync(given: _scene.Sign("serial: 2\nusers: []\n"));
        Assert.True(_scene.GetsIn(0));
    }

    /// <summary>Whoever can bring a list can bring an old one, which somebody is on who is to get in no more.</summary>
    [Fact]
    public async Task AnOlderList_IsRefused_AndTheSameOneIsNot()
    {
        var (first, second) = (_scene.Next(), _scene.Next());
        await _scene.RotateAsync(given: second);
        await RefusedAsync(first, "has the serial 1, and the one that is used has 2 already");
        await RefusedAsync(_scene.Sign("serial: 2\nusers: []\n"), "has the serial 2, and the one that is used has 2 already");
        Assert.True(_scene.GetsIn(2));
        await _scene.RotateAsync(given: second);
        Assert.True(_scene.GetsIn(2));
        Assert.Equal(["2"], Directory.EnumerateDirectories(_scene.Folder).Select(Path.GetFileName));
    }

    [Fact]
    public async Task OnlyTheSignatureOfSomebodyWhomTheImageTrusts_Counts()
    {
        const string List = "serial: 1\nusers: [{ name: nobody, sshKeys: [] }]\n";
        await RefusedAsync(Encoding.UTF8.GetBytes(List), "not signed");
        await RefusedAsync(_scene.Sign(List, key: "stranger"), "not signed by one whom the image trusts");
        await RefusedAsync(_scene.Sign(List, purpose: "git"), "not signed by one whom the image trusts");
        var changed = _scene.Sign(List);
        changed[8] = (byte)'2';
        await RefusedAsync(changed, "not signed by one whom the image trusts");
        await RefusedAsync([.. "serial: 9\n"u8, .. _scene.Sign(List)], "not signed by one whom the image trusts");
        _scene.Signers = [];
        Assert.Null(_scene.Credential.Read());
        Assert.Contains("has no credential", (await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync(given: _scene.Sign(List)))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("serial: 1\nusers: [{ name: eve, sshKeys: [] }]", "keys of eve, and this image has no such user")]
    [InlineData("serial: 1\nusers: [{ name: root, sshKeys: [] }]", "the list:2:17: users[0].name: \"root\" found")]
    [InlineData("serial: 0\nusers: []", "the list:1:9: serial: \"0\" found")]
    [InlineData("users: []", "the key serial is missing")]
    [InlineData("serial: 1\nuntil: 2026-11-30\nusers: []", "was to be taken until 2026-11-30 00:00 UTC")]
    [InlineData("serial: 1\nusers: [{ name: nobody, sshKeys: [] }, { name: nobody, sshKeys: [] }]", "nobody stands in the list twice")]
    [InlineData("serial: 1\nusers: [{ name: nobody, sshKeys: ['command=\"sh\" ssh-ed25519 AAAA'] }]", "expected a public key")]
    [InlineData("serial: [", ": this is not valid YAML")]
    public async Task AListThatMakesNoSense_IsRefused(string list, string why)
    {
        await RefusedAsync(_scene.Sign(list), why);
        Assert.True(_scene.GetsIn(0));
        Assert.False(Directory.Exists(_scene.Folder));
    }

    /// <summary>The signature ends what is signed, also where the text has no last line break.</summary>
    [Fact]
    public async Task UntilWhenItIsTaken_IsTold()
    {
        await _scene.RotateAsync(given: _scene.Sign("serial: 1\nuntil: 2027-01-01\nusers: []"));
        Assert.Equal(new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), _scene.Credential.Read()!.ExpiresAt);
    }

    [Fact]
    public async Task WhereSshdDoesNotReadLists_TheImagesKeysStay()
    {
        _scene.IncludesLists = false;
        await _scene.BootAsync();
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
        Assert.Contains("does not include", error.Message, StringComparison.Ordinal);
        Assert.True(_scene.GetsIn(0));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_scene.Folder));
    }

    [Fact]
    public async Task AListThatIsDamaged_IsNoReasonNeverToBringAnother()
    {
        await _scene.RotateAsync();
        File.WriteAllText(Path.Combine(_scene.Folder, "users.conf"), "Match User nobody\n  AuthorizedKeysFile /nowhere\n");
        Assert.Equal("a list that cannot be read", _scene.Credential.Read()!.Identity);
        await _scene.RotateAsync();
        Assert.True(_scene.GetsIn(2));
        Assert.Equal(["2"], Directory.EnumerateDirectories(_scene.Folder).Select(Path.GetFileName));
    }

    private async Task RefusedAsync(byte[] given, string why)
    {
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync(given: given));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.Contains("preparing", error.Message, StringComparison.Ordinal);
        // It is told to whoever brought it. A device that is as it was has no trouble, by which a good version would not be kept.
        var record = _scene.Engine.Read(_scene.Credential.Name);
        Assert.Equal((RotationStep.Idle, null), (record.Step, record.Trouble));
    }
}

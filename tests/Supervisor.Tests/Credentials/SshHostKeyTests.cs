using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

public sealed class SshHostKeyTests : IDisposable
{
    private readonly SshScene _scene = new();

    public void Dispose() => _scene.Dispose();

    /// <summary>OpenSSH's own client is the judge: it must never be told of another key than one that it knows.</summary>
    [Fact]
    public async Task AClientThatKnowsTheOldKey_LearnsTheNewOne_AndIsNotAlarmed()
    {
        var known = _scene.NewClient();
        var first = await _scene.ServedAsync();
        Assert.Equal([first], _scene.LearnedBy(known));

        await _scene.RotateAsync();
        Assert.Equal(first, await _scene.ServedAsync());
        var learned = _scene.LearnedBy(known);
        Assert.Equal(2, learned.Length);

        _scene.Time.Now += TimeSpan.FromDays(14);
        Assert.Equal(RotationStep.Idle, (await _scene.ResumeAsync()).Step);
        var second = await _scene.ServedAsync();
        Assert.NotEqual(first, second);
        Assert.Contains(second, learned);
        Assert.Equal([second], _scene.LearnedBy(known)); // the old one is forgotten
        Assert.False(Directory.Exists(_scene.Next));
        Assert.Contains("SHA256:", _scene.Credential.Read()!.Identity, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InAnEmergency_TheOldKeyIsGoneAtOnce()
    {
        var first = await _scene.ServedAsync();
        await _scene.RotateAsync(isEmergency: true);
        Assert.NotEqual(first, await _scene.ServedAsync());
        Assert.False(Directory.Exists(_scene.Next));
    }

    [Theory]
    [InlineData("ssh_host_ed25519_key", "")]
    [InlineData("ssh_host_ed25519_key.pub", "")]
    [InlineData("ssh_host_ed25519_key.pub", "ssh-ed25519")]
    [InlineData("ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4Uz2bMJZJxYBkUJpJ3bW7Gd0nS9m9b0cYF1b5iZ2hH")]
    public async Task ANewKeyThatIsDamaged_IsLetGoOf_InsteadOfTheOldOne(string name, string content)
    {
        var first = await _scene.ServedAsync();
        await _scene.RotateAsync();
        File.WriteAllText(Path.Combine(_scene.Next, name), content);
        _scene.Time.Now += TimeSpan.FromDays(14);

        var error = await Assert.ThrowsAsync<UserError>(_scene.ResumeAsync);
        Assert.Contains("and the old one is used on: the new key is damaged", error.Message, StringComparison.Ordinal);
        var record = _scene.Engine.Read(_scene.Credential.Name);
        Assert.Equal((RotationStep.Idle, null), (record.Step, record.RotatedAt));
        Assert.Contains("the new key is damaged", record.Trouble, StringComparison.Ordinal);
        Assert.Equal(0, await _scene.UsedAsync());
        await _scene.BootAsync();
        Assert.Equal(first, await _scene.ServedAsync());
        Assert.False(Directory.Exists(_scene.Next));

        // It is in nobody's way.
        Assert.Equal(RotationStep.Idle, (await _scene.RotateAsync(isEmergency: true)).Step);
        Assert.NotEqual(first, await _scene.ServedAsync());
    }

    [Fact]
    public async Task WhenSshdDoesNotTakeTheNewKeyAlone_TheOldOneComesBack_AndItIsTriedAgain()
    {
        var first = await _scene.ServedAsync();
        await _scene.RotateAsync();
        _scene.Time.Now += TimeSpan.FromDays(14);
        var (inner, starts) = (_scene.Units.OnStart, 0);
        _scene.Units.OnStart = unit => ++starts == 1 ? throw new UserError("systemd is busy") : inner(unit);
        // ModelUnits has it down after a failed start, as systemd would not after a failed reload.
        await Assert.ThrowsAsync<UserError>(_scene.ResumeAsync);
        await _scene.BootAsync();
        Assert.Equal(first, await _scene.ServedAsync());
        Assert.Equal(1, await _scene.UsedAsync()); // sshd has both still

        Assert.Equal(RotationStep.Idle, (await _scene.ResumeAsync()).Step);
        Assert.NotEqual(first, await _scene.ServedAsync());
        Assert.Equal(1, await _scene.UsedAsync());
    }

    [Fact]
    public async Task SettingsThatLackTheNewKey_AreAFailure()
    {
        _scene.IncludesNext = false;
        await _scene.BootAsync();
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
        Assert.Contains("confirming", error.Message, StringComparison.Ordinal);
        Assert.Contains("does not include", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, await _scene.UsedAsync());
        Assert.False(Directory.Exists(_scene.Next));
    }

    [Fact]
    public async Task AKeyThatSshdCannotUse_IsAFailure()
    {
        // Root alone may read a host key, and sshd insists.
        var inner = _scene.Units.OnStart;
        _scene.Units.OnStart = unit =>
        {
            if (File.Exists(Path.Combine(_scene.Next, "host-key.conf"))) File.SetUnixFileMode(Path.Combine(_scene.Next, "ssh_host_ed25519_key"), DurableFile.Readable);
            return inner(unit);
        };
        var error = await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
        Assert.Contains("sshd cannot use the new key", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, await _scene.UsedAsync());
    }

    [Fact]
    public async Task TheOldPair_IsKept_WhereNobodyElseReadsIt()
    {
        var old = File.ReadAllText(Path.Combine(_scene.Folder, "ssh_host_ed25519_key"));
        await _scene.RotateAsync();
        Assert.Equal(old, File.ReadAllText(_scene["var/rotations/ssh-host-key/old/ssh_host_ed25519_key"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_scene["var/rotations/ssh-host-key/old/ssh_host_ed25519_key"]));
        Assert.Equal(FolderMode.Private, File.GetUnixFileMode(_scene["var/rotations/ssh-host-key"]));
        await _scene.RotateAsync(isEmergency: true);
        Assert.False(Directory.Exists(_scene["var/rotations/ssh-host-key/old"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ssh-ed25519")]
    [InlineData("ssh-ed25519 no-base64!")]
    public void APublicHalfThatIsNone_IsTheTroubleOfThisCredential(string content)
    {
        File.WriteAllText(Path.Combine(_scene.Folder, "ssh_host_ed25519_key.pub"), content);
        Assert.Contains("is no public key", _scene.Engine.TryStatus(_scene.Credential)!.Trouble, StringComparison.Ordinal);
    }
}

using System.Net;
using Appliance.Core;
using Appliance.Supervisor.Access;
using Supervisor.Tests.Health;

namespace Supervisor.Tests.Access;

/// <summary>Who is the owner, and what it takes to become one.</summary>
public sealed class OwnerAccessTests : IDisposable
{
    private const string Password = "correct horse battery";
    private static readonly IPAddress Here = IPAddress.Parse("192.0.2.7");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("access");
    private readonly ManualTime _time = new();
    private readonly List<OwnerAccess> _opened = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Record => Path.Combine(_folder.FullName, "access.json");

    public void Dispose()
    {
        foreach (var access in _opened) access.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task TheSetupCode_LetsAPasswordBeSet_AndIsGoneThen()
    {
        var access = Open();
        var code = access.SetupCode!;
        Assert.Matches("^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$", code);
        // As people type it.
        var begun = await access.LogInAsync(code.ToLowerInvariant().Replace("-", " ", StringComparison.Ordinal), Here, Token);
        Assert.True(begun.Session!.Setup);

        await access.SetPasswordAsync(begun.Session, null, Password, IPAddress.Loopback, Token);

        Assert.Null(access.SetupCode);
        Assert.Equal(LogIn.Wrong, await access.LogInAsync(code, Here, Token));
        Assert.False(access.Find(begun.Token)!.Setup);
        Assert.False((await access.LogInAsync(Password, Here, Token)).Session!.Setup);
    }

    [Fact]
    public async Task WhatIsKept_OutlivesARestart_AndHoldsNoSecretInTheClear()
    {
        var (_, token) = await OwnAsync(Open());

        var again = Open();

        Assert.NotNull(again.Find(token));
        Assert.Null(again.SetupCode);
        var record = await File.ReadAllTextAsync(Record, Token);
        Assert.DoesNotContain(Password, record, StringComparison.Ordinal);
        Assert.DoesNotContain(token, record, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Record));
    }

    [Fact]
    public void TheSetupCode_OutlivesARestart() => Assert.Equal(Open().SetupCode, Open().SetupCode);

    [Fact]
    public async Task Guessing_IsSlowedDownForTheAddressThatGuesses()
    {
        var access = Open();
        for (var attempt = 0; attempt < OwnerAccess.Attempts; attempt++) Assert.Equal(LogIn.Wrong, await access.LogInAsync("0000-0000", Here, Token));

        Assert.Equal(OwnerAccess.NextAttempt, (await access.LogInAsync(access.SetupCode!, Here, Token)).RetryAfter);
        Assert.NotNull((await access.LogInAsync(access.SetupCode!, IPAddress.Parse("192.0.2.8"), Token)).Token);
    }

    [Fact]
    public async Task AllAddressesOfAnIPv6Network_CountAsOne()
    {
        var access = Open();
        for (var attempt = 0; attempt < OwnerAccess.Attempts; attempt++) await access.LogInAsync("0000-0000", IPAddress.Parse($"2001:db8::{attempt + 1:x}"), Token);

        Assert.NotNull((await access.LogInAsync(access.SetupCode!, IPAddress.Parse("2001:db8::ffff"), Token)).RetryAfter);
        Assert.NotNull((await access.LogInAsync(access.SetupCode!, IPAddress.Parse("2001:db8:0:1::1"), Token)).Token);
    }

    [Theory]
    [InlineData("short")]
    [InlineData("")]
    public async Task APasswordThatIsTooShort_IsRefused(string password)
    {
        var access = Open();
        var begun = await access.LogInAsync(access.SetupCode!, Here, Token);

        await Assert.ThrowsAsync<UserError>(() => access.SetPasswordAsync(begun.Session!, null, password, IPAddress.Loopback, Token));

        Assert.NotNull(access.SetupCode);
    }

    [Fact]
    public async Task ChangingThePassword_NeedsThePresentOne_AndEndsOtherLogIns()
    {
        var access = Open();
        var (session, token) = await OwnAsync(access);
        var other = await access.LogInAsync(Password, Here, Token);

        await Assert.ThrowsAsync<UserError>(() => access.SetPasswordAsync(session, "something else", "another good one", IPAddress.Loopback, Token));
        Assert.NotNull(access.Find(other.Token));
        await access.SetPasswordAsync(session, Password, "another good one", IPAddress.Loopback, Token);

        Assert.Null(access.Find(other.Token));
        Assert.NotNull(access.Find(token));
        Assert.Equal(LogIn.Wrong, await access.LogInAsync(Password, Here, Token));
    }

    [Fact]
    public async Task ASetupLogInOfBefore_CannotSetAPasswordAnyMore()
    {
        var access = Open();
        var early = await access.LogInAsync(access.SetupCode!, Here, Token);
        await OwnAsync(access);

        Assert.Null(access.Find(early.Token));
        await Assert.ThrowsAsync<UserError>(() => access.SetPasswordAsync(early.Session!, null, "mine instead of yours", IPAddress.Loopback, Token));
    }

    [Fact]
    public async Task ALogIn_EndsAfterHalfADay_OrWhenItIsEnded()
    {
        var access = Open();
        var (session, token) = await OwnAsync(access);

        _time.Advance(TimeSpan.FromHours(11.9));
        Assert.NotNull(access.Find(token));
        _time.Advance(TimeSpan.FromHours(0.2));
        Assert.Null(access.Find(token));

        var next = await access.LogInAsync(Password, Here, Token);
        access.LogOut(next.Session!);
        Assert.Null(access.Find(next.Token));
        Assert.NotEqual(session, next.Session);
    }

    [Fact]
    public async Task AReset_ForgetsTheOwner()
    {
        var access = Open();
        var (_, token) = await OwnAsync(access);

        var code = access.Reset();

        Assert.Equal(code, access.SetupCode);
        Assert.Null(access.Find(token));
        Assert.Equal(LogIn.Wrong, await access.LogInAsync(Password, Here, Token));
        Assert.True((await access.LogInAsync(code, Here, Token)).Session!.Setup);
    }

    /// <summary>Nobody may become the owner by damaging a file: it takes the console, as at the first start.</summary>
    [Fact]
    public async Task ADamagedRecord_IsPutAside_AndTheConsoleHasACodeAgain()
    {
        var (_, token) = await OwnAsync(Open());
        await File.WriteAllTextAsync(Record, "{ damaged", Token);

        var access = Open();

        Assert.NotNull(access.SetupCode);
        Assert.Null(access.Find(token));
        Assert.True(File.Exists(Record + ".unusable"));
    }

    [Fact]
    public async Task APasswordThatHasEnded_SetsTheNextOne_AndDoesNothingElse()
    {
        await OwnAsync(Open());
        var access = Open(TimeSpan.FromDays(90));
        _time.Advance(TimeSpan.FromDays(90) - TimeSpan.FromSeconds(1));
        Assert.False((await access.LogInAsync(Password, Here, Token)).Session!.Setup);

        _time.Advance(TimeSpan.FromSeconds(1));
        var session = (await access.LogInAsync(Password, Here, Token)).Session!;
        Assert.True(session.Setup);
        Assert.Contains("present password", (await Assert.ThrowsAsync<UserError>(() => access.SetPasswordAsync(session, null, "another one, long", Here, Token))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<UserError>(() => access.SetPasswordAsync(session, Password, Password, Here, Token));
        await access.SetPasswordAsync(session, Password, "another one, long", Here, Token);

        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromDays(90), access.PasswordUntil);
        Assert.False((await access.LogInAsync("another one, long", IPAddress.Loopback, Token)).Session!.Setup);
    }

    private static async Task<(Session Session, string Token)> OwnAsync(OwnerAccess access)
    {
        var begun = await access.LogInAsync(access.SetupCode!, Here, Token);
        await access.SetPasswordAsync(begun.Session!, null, Password, IPAddress.Loopback, Token);
        return (access.Find(begun.Token)!, begun.Token!);
    }

    private OwnerAccess Open(TimeSpan? life = null)
    {
        _opened.Add(new OwnerAccess(Record, _time, life));
        return _opened[^1];
    }
}

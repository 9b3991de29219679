using Appliance.Core;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>The rotation of a file with real programs around it.</summary>
public sealed class RotationEngineTests : IDisposable
{
    private readonly FileScene _scene = new();

    public void Dispose() => _scene.Dispose();

    [Fact]
    public async Task TheNewOne_IsProved_TakesThePlace_AndTheOldOneIsKeptForAWhile()
    {
        var record = await _scene.RotateAsync();

        Assert.Equal((RotationStep.Grace, _scene.Time.Now + TimeSpan.FromDays(1)), (record.Step, record.RetireAt));
        Assert.Equal(1, await _scene.UsedAsync());
        Assert.Equal("secret 0", File.ReadAllText(_scene["var/rotations/vpn/old/file"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_scene["etc/secret"]));

        await _scene.ResumeAsync();
        Assert.True(Directory.Exists(_scene["var/rotations/vpn/old"]));
        _scene.Time.Now += TimeSpan.FromDays(1);
        Assert.Equal(RotationStep.Idle, (await _scene.ResumeAsync()).Step);
        Assert.False(Directory.Exists(_scene["var/rotations/vpn/old"]));
        Assert.False(Directory.Exists(_scene["var/rotations/vpn/new"]));
    }

    [Fact]
    public async Task InAnEmergency_NothingOfTheOldOneStays()
    {
        Assert.Equal(RotationStep.Idle, (await _scene.RotateAsync(isEmergency: true)).Step);
        Assert.DoesNotContain(Directory.EnumerateFiles(_scene["var"], "*", SearchOption.AllDirectories), path => File.ReadAllText(path).Contains("secret 0", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhatSomebodyBrings_IsUsed_AndIsLeftNowhereElse()
    {
        await _scene.RotateAsync(given: "secret 7"u8.ToArray());
        Assert.Equal(7, await _scene.UsedAsync());
        Assert.Equal("0", File.ReadAllText(_scene["count"]).Trim()); // nothing was made

        await _scene.RotateAsync(isEmergency: true);
        Assert.DoesNotContain(Directory.EnumerateFiles(_scene["var"], "*", SearchOption.AllDirectories), path => File.ReadAllText(path).Contains("secret 7", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("make", "preparing", "make failed with exit code 3")]
    [InlineData("prove", "proving", "prove failed with exit code 3")]
    [InlineData("check", "confirming", "check failed with exit code 3")]
    [InlineData("unit", "switching", "the unit does not start with it")]
    public async Task WhateverFails_TheOldOneIsUsedOn_AndTheReasonIsKept(string what, string step, string reason)
    {
        if (what == "unit") _scene.Bad = "secret 1";
        else
        {
            if (what != "check") File.Delete(_scene[what]);
            _scene.Settings = what == "check" ? _scene.Settings with { Check = _scene.Script("check", "echo hunter2; exit 3") } : _scene.Settings;
            if (what != "check") _scene.Script(what, "echo hunter2; exit 3");
        }

        var error = await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());
        Assert.Contains($"failed while it was {step}, and the old one is used on", error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal); // what a program prints may be the secret
        Assert.Equal(0, await _scene.UsedAsync());
        var record = _scene.Engine.Read("vpn");
        Assert.Equal(RotationStep.Idle, record.Step);
        Assert.StartsWith($"{step}: ", record.Trouble, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_scene["var/rotations/vpn/new"]));
    }

    [Fact]
    public async Task WhenTheOldOneCannotComeBack_ThatIsTriedAgain()
    {
        var credential = new Stubborn();

        Assert.True((await Assert.ThrowsAsync<UserError>(() => _scene.Engine.RotateAsync(credential, "a test", false, null, TestContext.Current.CancellationToken))).MayPass);
        Assert.Equal(RotationStep.Undoing, _scene.Engine.Read("vpn").Step);
        var record = await _scene.Engine.ResumeAsync(credential, TestContext.Current.CancellationToken);

        Assert.Equal((RotationStep.Idle, 2), (record.Step, credential.Undone));
    }

    /// <summary>The old file may be the reason why the unit does not run: another one must be welcome.</summary>
    [Fact]
    public async Task WhatDoesNotRunWithTheOldOneEither_TakesTheNext()
    {
        var inner = _scene.Units.OnStart;
        _scene.Units.OnStart = async unit =>
        {
            await inner(unit);
            if (_scene.Content != "secret 9") throw new UserError("the unit does not start with it");
        };

        await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync(given: "secret 5"u8.ToArray()));
        Assert.Equal((RotationStep.Idle, "secret 0"), (_scene.Engine.Read("vpn").Step, _scene.Content));
        await _scene.RotateAsync(given: "secret 9"u8.ToArray());

        Assert.Equal(9, await _scene.UsedAsync());
    }

    [Fact]
    public async Task WhateverIsBrought_IsLeftNowhere_WhereThePowerGoes()
    {
        for (var cut = 1; ; cut++)
        {
            using var scene = new FileScene { CutAt = cut };
            await Assert.ThrowsAsync<Boot.PowerCutException>(() => scene.RotateAsync(given: "secret 7"u8.ToArray()));
            await scene.BootAsync();
            await scene.ResumeAsync();
            if (await scene.UsedAsync() == 7) return;
            Assert.DoesNotContain(Directory.EnumerateFiles(scene["var"], "*", SearchOption.AllDirectories), path => File.ReadAllText(path).Contains("secret 7", StringComparison.Ordinal));
            Assert.InRange(cut, 1, 20);
        }
    }

    [Fact]
    public async Task WhatIsInterruptedAgainAndAgain_IsUndone()
    {
        for (var i = 0; i < 4; i++)
        {
            await _scene.BootAsync();
            _scene.CutAt = i == 0 ? 12 : 3; // in a step each time
            await Assert.ThrowsAnyAsync<Exception>(() => i == 0 ? _scene.RotateAsync() : _scene.ResumeAsync());
        }
        await _scene.BootAsync();
        var record = await _scene.ResumeAsync();

        Assert.Equal(RotationStep.Idle, record.Step);
        Assert.Contains("interrupted 4 times", record.Trouble, StringComparison.Ordinal);
        Assert.Equal(0, await _scene.UsedAsync());
    }

    [Fact]
    public async Task WhoStopsIt_BeforeTheSwitch_HasTheOldOne()
    {
        using var stop = new CancellationTokenSource();
        var engine = new RotationEngine(_scene["var/rotations"], _scene.Time) { OnProgress = step => { if (step == RotationStep.Proving) stop.Cancel(); } };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => engine.RotateAsync(_scene.Credential, "a test", false, null, stop.Token));
        Assert.Equal(0, await _scene.UsedAsync());
        var record = engine.Read("vpn");
        Assert.Equal((RotationStep.Idle, "somebody stopped it"), (record.Step, record.Trouble));
    }

    /// <summary>What may go wrong has no list: a page that does not answer, a program of ours with a mistake.</summary>
    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(TaskCanceledException))]
    [InlineData(typeof(System.Net.Sockets.SocketException))]
    public async Task AlsoWhatNobodyThoughtOf_IsUndone(Type kind)
    {
        var inner = _scene.Units.OnStart;
        _scene.Units.OnStart = async unit =>
        {
            await inner(unit);
            if (_scene.Content == "secret 1") throw (Exception)Activator.CreateInstance(kind)!;
        };

        await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync());

        Assert.Equal(RotationStep.Idle, _scene.Engine.Read("vpn").Step);
        Assert.Equal(0, await _scene.UsedAsync());
    }

    /// <summary>Whoever reads the list must see that something is half done.</summary>
    [Fact]
    public async Task ACredentialThatCannotBeRead_HidesNotWhereItsRotationIs()
    {
        _scene.CutAt = 12;
        await Assert.ThrowsAsync<Boot.PowerCutException>(() => _scene.RotateAsync());

        var status = _scene.Engine.TryStatus(new Unreadable())!;

        Assert.Equal(_scene.Engine.Read("vpn").Step, status.Step);
        Assert.NotEqual(RotationStep.Idle, status.Step);
        Assert.Contains("cannot be read", status.Trouble, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneThatTheDeviceCannotMake_IsBrought_AlsoWhereThereWasNone()
    {
        _scene.Settings = _scene.Settings with { Make = null };
        Assert.Contains("appliancectl credentials set vpn", (await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync())).ToString(), StringComparison.Ordinal);
        File.Delete(_scene["etc/secret"]);
        _scene.Bad = "secret 5";
        await Assert.ThrowsAsync<UserError>(() => _scene.RotateAsync(given: "secret 5"u8.ToArray()));
        Assert.False(File.Exists(_scene["etc/secret"])); // as it was before
        await _scene.RotateAsync(given: "secret 6"u8.ToArray());
        Assert.Equal(6, await _scene.UsedAsync());
    }

    [Fact]
    public void WhenItIsTime_GoesByTheLastChange()
    {
        _scene.Settings = _scene.Settings with { Every = TimeSpan.FromDays(90) };
        var facts = _scene.Credential.Read()!;
        Assert.Equal(facts.IssuedAt + TimeSpan.FromDays(90), _scene.Credential.DueAt(facts, new RotationRecord()));
        Assert.Equal(_scene.Time.Now + TimeSpan.FromDays(90), _scene.Credential.DueAt(facts, new RotationRecord { RotatedAt = _scene.Time.Now }));
        _scene.Settings = _scene.Settings with { Make = null };
        Assert.Null(_scene.Credential.DueAt(facts, new RotationRecord()));
    }

    private sealed class Unreadable : ICredential
    {
        public string Name => "vpn";

        public TimeSpan Grace => default;

        public CredentialFacts? Read() => throw new InvalidDataException("it is damaged");

        public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => null;

        public Task PrepareAsync(RotationWork work, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task ProveAsync(RotationWork work, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task SwitchAsync(RotationWork work, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task UndoAsync(RotationWork work, CancellationToken cancellationToken) => throw new NotSupportedException();
    }

    /// <summary>One that cannot be proved, and comes back at the second try.</summary>
    private sealed class Stubborn : ICredential
    {
        public int Undone { get; private set; }

        public string Name => "vpn";

        public TimeSpan Grace => default;

        public CredentialFacts? Read() => new("vpn");

        public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => null;

        public Task PrepareAsync(RotationWork work, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task ProveAsync(RotationWork work, CancellationToken cancellationToken) => throw new UserError("it does not work");

        public Task SwitchAsync(RotationWork work, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task UndoAsync(RotationWork work, CancellationToken cancellationToken) => ++Undone == 1 ? throw new UserError("systemd is busy") : Task.CompletedTask;
    }
}

using System.Text;
using Appliance.Core;
using Appliance.Supervisor.Processes;
using Appliance.Supervisor.Secrets;
using Appliance.Supervisor.Worker;
using Serilog;
using Supervisor.Tests.Worker;

namespace Supervisor.Tests.Secrets;

/// <summary>The real systemd-creds, by itself and behind the worker's socket.</summary>
public sealed class SecretSealTests : IDisposable
{
    private const string Secret = "a word that nobody hears";
    private static readonly byte[] Plain = Encoding.UTF8.GetBytes(Secret);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("seal");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private SystemdCreds Seal => new(HostSecret);

    private string HostSecret => Path.Combine(_folder.FullName, "credential.secret");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(40_000)]
    public async Task WhatWasSealed_IsUnsealed(int length)
    {
        var secret = new byte[length];
        Random.Shared.NextBytes(secret);

        Assert.Equal(secret, await Seal.UnsealAsync(SecretName.Fleet, await Seal.SealAsync(SecretName.Fleet, secret, Token), Token));
    }

    [Fact]
    public async Task UnderAnotherName_OrByAnotherKey_OrDamaged_NothingIsUnsealed()
    {
        var (other, mine) = (SecretName.Parse("appliance.other"), await Seal.SealAsync(SecretName.Fleet, Plain, Token));
        var damaged = mine[..60] + (mine[60] == 'A' ? 'B' : 'A') + mine[61..];
        var elsewhere = new SystemdCreds(HostSecret + "-2");
        await elsewhere.SealAsync(SecretName.Fleet, Plain, Token);

        await Assert.ThrowsAsync<SecretLostException>(() => Seal.UnsealAsync(other, mine, Token));
        await Assert.ThrowsAsync<SecretLostException>(() => elsewhere.UnsealAsync(SecretName.Fleet, mine, Token));
        await Assert.ThrowsAsync<SecretLostException>(() => new SystemdCreds(HostSecret + "-3").UnsealAsync(SecretName.Fleet, mine, Token));
        await Assert.ThrowsAsync<SecretLostException>(() => Seal.UnsealAsync(SecretName.Fleet, damaged, Token));
        await Assert.ThrowsAsync<SecretLostException>(() => Seal.UnsealAsync(SecretName.Fleet, "", Token));
    }

    /// <summary>systemd-creds itself would unseal it under whatever name.</summary>
    [Fact]
    public async Task WhatOthersSealedWithoutAName_IsNotUnsealed()
    {
        var command = new ProcessCommand("systemd-creds", "encrypt", "--name=", "--with-key=host", "-", "-") { Environment = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin", ["SYSTEMD_CREDENTIAL_SECRET"] = HostSecret } };
        var (outcome, output) = await ProcessRunner.FilterAsync(command, Plain, 1 << 16, Token);
        Assert.True(outcome.Succeeded);

        var error = await Assert.ThrowsAsync<SecretLostException>(() => Seal.UnsealAsync(SecretName.Fleet, Encoding.ASCII.GetString(output), Token));
        Assert.DoesNotContain(Secret, error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("appliance.")]
    [InlineData("appliance.Fleet")]
    [InlineData("appliance.a/b")]
    [InlineData("appliance.a\n")]
    [InlineData("wifi-password")]
    [InlineData("--name=wifi-password")]
    public async Task TheWorker_RefusesNames_ThatAreNotOurs(string name)
    {
        await using var scene = new WorkerScene { Seal = Seal };
        foreach (var request in new WorkerRequest[] { new() { Verb = WorkerVerb.Seal, Secret = new WorkerSecret(name) { Plain = Plain } }, new() { Verb = WorkerVerb.Unseal, Secret = new WorkerSecret(name) { Sealed = "AAAA" } } })
        {
            var error = await Assert.ThrowsAsync<UserError>(() => scene.Client.RunAsync(request, null, null, Token));
            Assert.Contains("names that begin with appliance.", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ThroughTheWorker_ItIsTheSame_AndNoSecretIsLogged()
    {
        var logged = new Lines();
        var before = Log.Logger;
        await using var scene = new WorkerScene { Seal = Seal };
        var seal = new WorkerSeal(scene.Client);
        try
        {
            Log.Logger = new LoggerConfiguration().MinimumLevel.Verbose().WriteTo.Sink(logged).CreateLogger();
            var mine = await seal.SealAsync(SecretName.Fleet, Plain, Token);
            Assert.Equal(Plain, await seal.UnsealAsync(SecretName.Fleet, mine, Token));
            Assert.Equal(Plain, await Seal.UnsealAsync(SecretName.Fleet, mine, Token));
            await Assert.ThrowsAsync<SecretLostException>(() => seal.UnsealAsync(SecretName.Parse("appliance.other"), mine, Token));
        }
        finally
        {
            Log.Logger = before;
        }
        Assert.Contains("Worker: Unseal", logged.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, logged.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(Plain), logged.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, new WorkerRequest { Verb = WorkerVerb.Seal, Secret = new WorkerSecret("appliance.fleet") { Plain = Plain } }.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAWorker_OrAKey_NothingIsLost_AndTheReasonIsSaid()
    {
        await Assert.ThrowsAsync<UserError>(() => new WorkerSeal(new WorkerClient("/nowhere/worker.sock")).UnsealAsync(SecretName.Fleet, "AAAA", Token));
        await Assert.ThrowsAsync<UserError>(() => new WorkerSeal(new WorkerClient("/nowhere/worker.sock")).SealAsync(SecretName.Fleet, Plain, Token));
        var error = await Assert.ThrowsAsync<UserError>(() => new SystemdCreds("/proc/nowhere/credential.secret").SealAsync(SecretName.Fleet, Plain, Token));
        Assert.DoesNotContain(Secret, error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>systemd-creds' own choice refuses a key that does not outlive a restart; what is sealed lies on no better disk.</summary>
    [Fact]
    public async Task WhereTheKeyIsInMemory_ItIsSealedAllTheSame()
    {
        var folder = Directory.CreateDirectory($"/dev/shm/seal-{Guid.NewGuid():N}");
        try
        {
            var seal = new SystemdCreds(Path.Combine(folder.FullName, "credential.secret"));
            Assert.Equal(Plain, await seal.UnsealAsync(SecretName.Fleet, await seal.SealAsync(SecretName.Fleet, Plain, Token), Token));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What Debian's systemd 252 and newer ones said with a software TPM that was locked, away, without libraries, and another one.</summary>
    [Theory]
    [InlineData("TPM2 device is in dictionary attack lockout mode.", false)]
    [InlineData("Failed to initialize TCTI context: tcti:IO failure", false)]
    [InlineData("TPM2 support is not installed.", false)]
    [InlineData("Failed to unseal secret using TPM2: Device or resource busy", false)]
    [InlineData("Failed to determine local credential key: Input/output error", false)]
    [InlineData("Failed to load HMAC key in TPM: tpm:parameter(1):integrity check failed", true)]
    [InlineData("TPM key integrity check failed. Key most likely does not belong to this TPM.", true)]
    public async Task WhatCannotBeUnsealedNow_IsToldFromWhatIsLost(string said, bool isLost)
    {
        var mine = await Seal.SealAsync(SecretName.Fleet, Plain, Token);
        var seal = WithTpm(unseal: Fails(said));

        if (isLost) await Assert.ThrowsAsync<SecretLostException>(() => seal.UnsealAsync(SecretName.Fleet, mine, Token));
        else Assert.True((await Assert.ThrowsAsync<UserError>(() => seal.UnsealAsync(SecretName.Fleet, mine, Token))).MayPass);
        Assert.Equal(Plain, await Seal.UnsealAsync(SecretName.Fleet, mine, Token));
    }

    [Fact]
    public async Task ATpmThatIsBusy_IsNoReasonToDoWithoutIt()
    {
        var seal = WithTpm(seal: Fails("Failed to seal to TPM2: Device or resource busy"));

        var error = await Assert.ThrowsAsync<UserError>(() => seal.SealAsync(SecretName.Fleet, Plain, Token));
        Assert.True(error.MayPass);
        Assert.Contains("resource busy", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>As with systemd 252, which seals without PCRs and does not unseal that; and as with a TPM that is away in between.</summary>
    [Fact]
    public async Task WhatTheTpmSeals_IsUnsealedOnce_BeforeItIsReliedOn()
    {
        var worksNot = WithTpm(seal: "shift 2; exec systemd-creds encrypt --with-key=host \"$@\"", unseal: $"if mkdir '{Path.Combine(_folder.FullName, "once")}' 2>/dev/null; then {Fails("TPM2 PCR bank invalid or not supported")}; fi");
        Assert.Equal(Plain, await Seal.UnsealAsync(SecretName.Fleet, await worksNot.SealAsync(SecretName.Fleet, Plain, Token), Token));
        Assert.True(Directory.Exists(Path.Combine(_folder.FullName, "once")));

        var away = WithTpm(seal: "shift 2; exec systemd-creds encrypt --with-key=host \"$@\"", unseal: Fails("Failed to initialize TCTI context: tcti:IO failure"));
        Assert.True((await Assert.ThrowsAsync<UserError>(() => away.SealAsync(SecretName.Fleet, Plain, Token))).MayPass);
    }

    [Fact]
    public async Task AFilter_ThatPrintsWithoutEnd_ReadsNothing_OrDoesNotEnd_IsEnded()
    {
        await Assert.ThrowsAsync<IOException>(() => ProcessRunner.FilterAsync(new ProcessCommand("cat", "/dev/zero"), Plain, 1 << 16, Token));
        var (ended, nothing) = await ProcessRunner.FilterAsync(new ProcessCommand("sh", "-c", "echo no >&2; exit 3"), new byte[1 << 20], 1 << 16, Token);
        Assert.Equal((3, 0, "no"), (ended.ExitCode, nothing.Length, Assert.Single(ended.Tail)));
        var (cut, _) = await ProcessRunner.FilterAsync(new ProcessCommand("sleep", "60") { Limit = TimeSpan.FromMilliseconds(200) }, Plain, 1 << 16, Token);
        Assert.True(cut.TimedOut);
    }

    private static string Fails(string said) => $"echo '{said}' >&2; exit 1";

    /// <summary>The real systemd-creds, on a machine that has a TPM2 as far as it says.</summary>
    private SystemdCreds WithTpm(string seal = ":", string unseal = ":")
    {
        var program = Path.Combine(_folder.FullName, $"creds-{Guid.NewGuid():N}");
        File.WriteAllText(program, $"#!/bin/sh\ncase \"$*\" in\nhas-tpm2*) exit 0 ;;\n*--with-key=host+tpm2*) {seal} ;;\ndecrypt*) {unseal} ;;\nesac\nexec systemd-creds \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return new SystemdCreds(HostSecret, program);
    }

    private sealed class Lines : Serilog.Core.ILogEventSink
    {
        private readonly StringBuilder _text = new();

        public string Text
        {
            get { lock (_text) return _text.ToString(); }
        }

        public void Emit(Serilog.Events.LogEvent logEvent)
        {
            lock (_text) _text.AppendLine(logEvent.RenderMessage(System.Globalization.CultureInfo.InvariantCulture)).AppendLine(logEvent.Exception?.ToString());
        }
    }
}

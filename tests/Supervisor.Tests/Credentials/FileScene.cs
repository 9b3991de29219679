using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;

namespace Supervisor.Tests.Credentials;

/// <summary>A file with a secret, and a unit that reads it when it starts.</summary>
internal sealed class FileScene : CredentialScene
{
    private string? _loaded;

    public FileScene()
    {
        Write("etc/secret", "secret 0");
        Units.OnStart = _ =>
        {
            _loaded = File.Exists(this["etc/secret"]) ? File.ReadAllText(this["etc/secret"]) : null;
            return Bad is { } bad && _loaded == bad ? throw new UserError("the unit does not start with it") : Task.CompletedTask;
        };
        Units.SetActive("vpn.service");
        _loaded = "secret 0";
        // One that counts on, so that a test sees which one it is.
        Write("count", "0");
        Settings = Settings with { Make = Script("make", $"n=$(cat {this["count"]}); n=$((n + 1)); echo $n > {this["count"]}; printf 'secret %s' $n > \"$APPLIANCE_NEW\""), Prove = Script("prove", "grep -q '^secret ' \"$APPLIANCE_NEW\"") };
    }

    public CredentialFile Settings { get; set; } = new() { Name = "vpn", Path = "/etc/secret", Reload = "vpn.service", Within = TimeSpan.Zero };

    /// <summary>Content with which the unit does not start.</summary>
    public string? Bad { get; set; }

    public override ICredential Credential => new FileCredential(Settings, Root, Units, Time);

    public string Content => File.ReadAllText(this["etc/secret"]);

    public override Task<int> UsedAsync()
    {
        Assert.Equal(Content, _loaded);
        Assert.StartsWith("secret ", Content, StringComparison.Ordinal);
        return Task.FromResult(int.Parse(Content.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture));
    }

    public override async Task BootAsync()
    {
        await base.BootAsync();
        await Units.BootAsync("vpn.service");
    }
}

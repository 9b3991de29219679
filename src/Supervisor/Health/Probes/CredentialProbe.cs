using Appliance.Core.Credentials;
using Appliance.Supervisor.Credentials;

namespace Appliance.Supervisor.Health.Probes;

/// <summary>Warns while a credential has ended, or could not be changed although it was time. The owner's password is the owner's: the device does without.</summary>
/// <param name="desk">The credentials; looked up late, because they know the engine, which knows the checks.</param>
/// <param name="time">Clock.</param>
internal sealed class CredentialProbe(Func<CredentialDesk> desk, TimeProvider time) : IHealthProbe
{
    public string Name => "credentials";
    public bool Gate => false;
    public TimeSpan Interval => TimeSpan.FromMinutes(5);
    public TimeSpan Timeout => TimeSpan.FromSeconds(10);

    public Task<ProbeResult> TryAsync(CancellationToken cancellationToken)
    {
        var (known, now) = (desk().Known, time.GetUtcNow());
        string[] bad = [.. known.Where(credential => credential.ExpiresAt <= now && credential.Name != CredentialNames.OwnerPassword).Select(credential => $"{credential.Name} has ended"), .. known.Where(credential => credential.Trouble is not null).Select(credential => $"{credential.Name}: {credential.Trouble}")];
        return Task.FromResult(bad.Length == 0 ? ProbeResult.Pass($"{known.Count} credentials hold") : ProbeResult.Fail(string.Join("; ", bad)));
    }
}

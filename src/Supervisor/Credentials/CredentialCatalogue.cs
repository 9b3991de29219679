using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Workloads;
using Appliance.Supervisor.Workloads.Kubernetes;

namespace Appliance.Supervisor.Credentials;

/// <summary>The credentials that need root to be changed: the worker's.</summary>
internal static class CredentialCatalogue
{
    /// <summary>All that this device could have.</summary>
    /// <param name="root">Root of the files.</param>
    /// <param name="units">The units.</param>
    /// <param name="openEngine">Opens the engine of workloads.</param>
    /// <param name="time">Clock.</param>
    /// <exception cref="UserError">The image's settings cannot be used.</exception>
    public static IReadOnlyList<ICredential> Open(string root, IUnits units, Func<EngineAccess> openEngine, TimeProvider time)
    {
        var own = ImageSettings.ReadCredentials(root);
        List<ICredential> all = [new SshHostKey(root, units), new SshAuthorizedKeys(own.SshSigners, root, units, time)];
        if (ImageIdentity.Read(root).WorkloadsEngine == "k3s")
        {
            var options = KubernetesOptions.Of(root);
            all.AddRange(Enum.GetValues<KubernetesSecret>().Select(kind => new KubernetesCredential(kind, options, units, IsReadyAsync, time)));
            var settings = new CredentialFile { Name = CredentialNames.Registry, Path = "/etc/rancher/k3s/registries.yaml", Mode = "0600", Reload = options.Unit, Within = options.Within };
            all.Add(new FileCredential(settings, root, units, time) { Title = "Log-ins to registries", Group = KubernetesOptions.Group, Confirmed = options.IsAgent ? null : cancellationToken => RequireReadyAsync(options.Unit, cancellationToken) });
        }
        all.AddRange(own.Files.Select(file => new FileCredential(file, root, units, time)));
        return all;

        async Task<Readiness> IsReadyAsync(DateTimeOffset? since, CancellationToken cancellationToken)
        {
            try
            {
                await using var engine = openEngine();
                return engine.Node is { } node ? await node.ReadAsync(cancellationToken, since) : Readiness.Ready("this engine has no node that must be ready");
            }
            catch (Exception e) when (e is EngineUnavailableException or KubernetesError or HttpRequestException)
            {
                return Readiness.Waiting(e.Message);
            }
        }

        async Task RequireReadyAsync(string unit, CancellationToken cancellationToken)
        {
            if (await IsReadyAsync(await units.StartedAtAsync(unit, cancellationToken), cancellationToken) is { State: not ReadinessState.Ready } node) throw new UserError($"The node is not ready: {node.Message}.", $"appliancectl logs --unit {unit}");
        }
    }
}

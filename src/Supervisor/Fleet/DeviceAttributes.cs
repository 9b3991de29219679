using System.Globalization;
using Appliance.Core;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Fleet;

/// <summary>What the device says of itself to its fleet's server; filters of rollouts go by it.</summary>
internal static class DeviceAttributes
{
    /// <summary>As it is now.</summary>
    public static IReadOnlyDictionary<string, string> Take(DeviceFacts facts, IReadOnlyList<WorkloadStatus> workloads, IReadOnlyList<CredentialStatus> credentials)
    {
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["id"] = facts.Image.Id,
            ["version"] = facts.Image.Version,
            ["board"] = facts.Image.Board,
            ["architecture"] = DebianArchitecture.Host,
            ["hostname"] = facts.Hostname,
            ["workloads"] = facts.Image.WorkloadsEngine,
        };
        foreach (var workload in workloads.Where(workload => workload.State.Current is not null)) all[$"workload.{workload.Id}"] = workload.State.Current!;
        foreach (var credential in credentials)
        {
            if (credential.ExpiresAt is { } until) all[$"credential.{credential.Name}.until"] = Day(until);
            if (credential.RotatedAt is { } rotated) all[$"credential.{credential.Name}.rotated"] = Day(rotated);
            if (credential.Trouble is not null) all[$"credential.{credential.Name}.failing"] = "true";
        }
        return all;

        static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
    }
}

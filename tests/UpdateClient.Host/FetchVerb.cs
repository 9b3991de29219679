using System.Text.Json;
using Appliance.Core.Bundles;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;

namespace Appliance.UpdateClient.Host;

/// <summary>Fetches the release of a workload into a file and prints what it took.</summary>
internal static class FetchVerb
{
    /// <summary>Fetches.</summary>
    public static async Task RunAsync(Arguments arguments)
    {
        var source = await RepositoryLocation.OpenAsync(arguments["repo"], new HttpSourceOptions(), CancellationToken.None);
        var trust = new TufClient(source, Path.Combine(arguments["state"], "trust"), File.ReadAllBytes(arguments["root"]), new TufClientOptions());
        var fetcher = new WorkloadFetcher(source, trust, arguments["channel"]);
        await fetcher.RefreshAsync(CancellationToken.None);
        var version = arguments.Optional("from-version");
        var workload = new DeviceFacts { Kind = BundleKind.Workload, DeviceId = "bench", Id = arguments["id"], Board = BundleHeader.AnyBoard, Architecture = arguments["arch"], Version = version };
        var options = new UpdateOptions { StateFolder = arguments["state"] };
        var check = fetcher.Choose(workload, options);
        using var plan = await fetcher.PlanAsync(check, version, arguments.Optional("from"), arguments["output"], options, CancellationToken.None);
        var result = await fetcher.FetchAsync(plan, arguments["output"], options, null, CancellationToken.None);
        using var writer = new Utf8JsonWriter(Console.OpenStandardOutput());
        writer.WriteStartObject();
        writer.WriteString("version", plan.Release.Header.Version);
        writer.WriteString("way", result.Ways.Values.Single());
        writer.WriteNumber("cpuSeconds", Math.Round(Environment.CpuUsage.TotalTime.TotalSeconds, 2));
        writer.WriteEndObject();
    }
}

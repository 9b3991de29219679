using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Appliance.Core;
using Appliance.UpdateClient;
using Appliance.UpdateClient.Host;
using Appliance.UpdateClient.Install;
using Appliance.UpdateClient.Sources;
using Appliance.UpdateClient.Trust;

const string Usage = """
    update-client-host install --root root.json --repo URL|DIR|BUNDLE|- --channel stable --id ID --board BOARD --arch ARCH --version V
      --target-root FILE --target-verity FILE --target-uki FILE --state DIR
      [--running-root FILE] [--running-uki FILE] [--device ID] [--wanted V] [--force] [--rate BYTES] [--proxy URL] [--plan-only] [--quiet] [--now TIME] [--pause MILLISECONDS]
      [--label FILE] [--gpt DISK --root-number N --verity-number N]
    update-client-host pack --root-image FILE [--uki FILE] --id ID --board BOARD --arch ARCH --version V --output FILE.bundle
    update-client-host fetch --root root.json --repo URL|DIR --channel stable --id ID --arch ARCH --state DIR --output FILE [--from FILE --from-version V]
    update-client-host chunks --index FILE --repo DIR --data PATH --seed FILE
    Updates plain files (or devices) and prints what it took as JSON. For tests and benchmarks.
    """;

if (args is ["pack", ..])
{
    await PackVerb.RunAsync(new Arguments(args));
    return 0;
}
if (args is ["chunks", ..])
{
    await ChunksVerb.RunAsync(new Arguments(args));
    return 0;
}
if (args is ["fetch", ..])
{
    await FetchVerb.RunAsync(new Arguments(args));
    return 0;
}
if (args is not ["install", ..])
{
    Console.Error.WriteLine(Usage);
    return 2;
}

using var interrupt = new CancellationTokenSource();
using var signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
{
    context.Cancel = true;
    interrupt.Cancel();
});
var clock = Stopwatch.StartNew();
try
{
    var options = new Arguments(args);
    var http = new HttpSourceOptions
    {
        BytesPerSecond = options.Optional("rate") is { } rate ? long.Parse(rate) : null,
        Proxy = options.Optional("proxy") is { } proxy ? new Uri(proxy) : null,
        FirstPause = TimeSpan.FromMilliseconds(options.Optional("pause") is { } pause ? int.Parse(pause) : 1000),
    };
    var source = await RepositoryLocation.OpenAsync(options["repo"], http, interrupt.Token);
    var trust = new TufClient(source, Path.Combine(options["state"], "trust"), File.ReadAllBytes(options["root"]), new TufClientOptions { Time = options.Optional("now") is { } now ? new FixedTime(DateTimeOffset.Parse(now)) : TimeProvider.System });
    var device = new DeviceFacts { DeviceId = options.Optional("device") ?? "bench", Id = options["id"], Board = options["board"], Architecture = options["arch"], Version = options["version"] };
    var update = new UpdateOptions { StateFolder = options["state"], Version = options.Optional("wanted"), Force = options.Has("force") };
    var slot = new TargetSlot
    {
        Root = new SlotRegion(options["target-root"]),
        Verity = new SlotRegion(options["target-verity"]),
        Uki = options["target-uki"],
        Marker = options.Optional("gpt") is { } disk
            ? new GptSlotMarker(disk, device.Id, int.Parse(options["root-number"]), int.Parse(options["verity-number"]))
            : new FileSlotMarker(options.Optional("label") ?? options["target-root"] + ".label"),
    };
    var running = new RunningSlot(options.Optional("running-root"), options.Optional("running-uki"));
    var installer = new UpdateInstaller(source, trust, device, update);

    var check = await installer.CheckAsync(options["channel"], interrupt.Token);
    if (check.Verdict != UpdateVerdict.Available)
    {
        Console.WriteLine($$"""{"verdict":"{{check.Verdict}}"}""");
        return 0;
    }
    using var plan = await installer.PlanAsync(check, running, slot, interrupt.Token);
    var planned = clock.Elapsed;
    UpdateResult? result = null;
    if (!options.Has("plan-only"))
        result = await installer.InstallAsync(plan, slot, options.Has("quiet") ? null : new Lines(), interrupt.Token);
    Print(plan, result, source, clock.Elapsed, planned);
    return 0;
}
catch (UserError error)
{
    Console.Error.WriteLine($"error: {error}");
    return 2;
}
catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
{
    Console.Error.WriteLine("Interrupted; the next run goes on.");
    return 130;
}

static void Print(UpdatePlan plan, UpdateResult? result, IRepositorySource source, TimeSpan wall, TimeSpan planned)
{
    using var writer = new Utf8JsonWriter(Console.OpenStandardOutput(), new JsonWriterOptions { Indented = true });
    writer.WriteStartObject();
    writer.WriteString("version", plan.Release.Header.Version);
    writer.WriteNumber("plannedBytes", plan.DownloadBytes);
    writer.WriteNumber("downloadedBytes", source.BytesRead);
    writer.WriteStartObject("payloads");
    foreach (var payload in plan.Payloads)
    {
        writer.WriteStartObject(payload.Payload.Name);
        writer.WriteString("way", result?.Ways.GetValueOrDefault(payload.Payload.Name));
        foreach (var way in payload.Ways)
        {
            if (way.DownloadBytes is { } bytes) writer.WriteNumber(way.Name, bytes);
            else writer.WriteNull(way.Name);
        }
        writer.WriteEndObject();
    }
    writer.WriteEndObject();
    writer.WriteStartArray("warnings");
    foreach (var warning in result?.Warnings ?? []) writer.WriteStringValue(warning);
    writer.WriteEndArray();
    writer.WriteNumber("seconds", Math.Round(wall.TotalSeconds, 3));
    writer.WriteNumber("planSeconds", Math.Round(planned.TotalSeconds, 3));
    writer.WriteNumber("cpuSeconds", Math.Round(Environment.CpuUsage.TotalTime.TotalSeconds, 3));
    writer.WriteNumber("peakRssBytes", Process.GetCurrentProcess().PeakWorkingSet64);
    writer.WriteEndObject();
    writer.Flush();
    Console.WriteLine();
}

namespace Appliance.UpdateClient.Host
{
    /// <summary>A day at which the tests' metadata has not expired.</summary>
    internal sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    /// <summary>Progress as lines on standard error.</summary>
    internal sealed class Lines : IProgress<UpdateProgress>
    {
        public void Report(UpdateProgress value) =>
            Console.Error.WriteLine($"{value.Phase} {value.Done} of {value.Total} bytes, {value.Downloaded} downloaded, {ByteSize.Format(value.BytesPerSecond)}/s{(value.TimeLeft is { } left ? $", {left.TotalSeconds:0} s left" : "")}");
    }
}

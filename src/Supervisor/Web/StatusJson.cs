using System.Text.Json.Serialization;
using Appliance.Supervisor.Journal;
using Appliance.Supervisor.Telemetry;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Web;

/// <summary>The JSON of the HTTP surface.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(SlotStateWord), typeof(JobStateWord), typeof(TrialPhaseWord)])]
[JsonSerializable(typeof(DeviceStatus))]
[JsonSerializable(typeof(DeviceHealth))]
[JsonSerializable(typeof(IReadOnlyList<DeviceFinding>))]
[JsonSerializable(typeof(DeviceProblem))]
[JsonSerializable(typeof(DeviceSession))]
[JsonSerializable(typeof(DeviceUpdates))]
[JsonSerializable(typeof(DeviceNetwork))]
[JsonSerializable(typeof(StatusReport))]
[JsonSerializable(typeof(JobView))]
[JsonSerializable(typeof(IReadOnlyList<JournalLine>))]
[JsonSerializable(typeof(IReadOnlyList<JournalBoot>))]
internal sealed partial class StatusJson : JsonSerializerContext;

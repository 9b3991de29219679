using System.Text.Json.Serialization;

namespace Appliance.Supervisor.State;

/// <summary>The JSON forms of what lies in the snapshots' folder, source-generated so that they work under Native AOT.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(StateSnapshot))]
[JsonSerializable(typeof(RestoreJournal))]
[JsonSerializable(typeof(RestoreReport))]
internal sealed partial class StateJson : JsonSerializerContext;

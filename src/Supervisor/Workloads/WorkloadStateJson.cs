using System.Text.Json.Serialization;

namespace Appliance.Supervisor.Workloads;

/// <summary>The JSON form of a workload's state, source-generated so that it works under Native AOT.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(WorkloadState))]
internal sealed partial class WorkloadStateJson : JsonSerializerContext;

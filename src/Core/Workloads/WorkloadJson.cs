using System.Text.Json.Serialization;

namespace Appliance.Core.Workloads;

/// <summary>The JSON form of a workload release: member names in camel case, in the order of declaration, no white space.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    MaxDepth = WorkloadReleaseReader.DeepestNesting)]
[JsonSerializable(typeof(ImageProof))]
[JsonSerializable(typeof(WorkloadRelease))]
public sealed partial class WorkloadJson : JsonSerializerContext;

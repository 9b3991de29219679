using System.Text.Json;
using System.Text.Json.Serialization;
using Appliance.Supervisor.Boot;
using Appliance.Supervisor.Updates;
using Appliance.Supervisor.Workloads;

namespace Appliance.Supervisor.Web;

/// <summary>A slot's state in JSON, in the word the bus has for it.</summary>
internal sealed class SlotStateWord() : JsonStringEnumConverter<SlotState>(JsonNamingPolicy.CamelCase);

/// <summary>A job's state in JSON, in the word the bus has for it.</summary>
internal sealed class JobStateWord() : JsonStringEnumConverter<JobState>(JsonNamingPolicy.CamelCase);

/// <summary>What is under way with a release in JSON, in the word the bus has for it.</summary>
internal sealed class TrialPhaseWord() : JsonStringEnumConverter<TrialPhase>(JsonNamingPolicy.CamelCase);

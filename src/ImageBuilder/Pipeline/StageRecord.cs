namespace Appliance.ImageBuilder.Pipeline;

/// <summary>What a stage cost in one build.</summary>
internal sealed record StageRecord(string Key, TimeSpan Duration, bool Cached);

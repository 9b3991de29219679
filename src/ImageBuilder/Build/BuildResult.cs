namespace Appliance.ImageBuilder.Build;

/// <summary>Where a build's results are and what it took.</summary>
internal sealed record BuildResult(string Folder, string Name, TimeSpan Duration, bool UpToDate, long RootSize, int PackageCount);

namespace Appliance.Core.Health;

/// <summary>A health declaration that cannot be used.</summary>
/// <param name="File">The file or folder.</param>
/// <param name="Message">What is wrong, where, and what to do.</param>
public sealed record HealthProblem(string File, string Message);

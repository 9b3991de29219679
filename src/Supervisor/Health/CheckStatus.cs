namespace Appliance.Supervisor.Health;

/// <summary>The latest result of a check; null means that it has not been tried yet.</summary>
internal sealed record CheckStatus(string Name, bool Gate, bool? Passed, string Message);

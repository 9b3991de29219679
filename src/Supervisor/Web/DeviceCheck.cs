namespace Appliance.Supervisor.Web;

/// <summary>A health check as the page shows it; <see cref="Passed"/> is null before its first try.</summary>
internal sealed record DeviceCheck(string Name, bool Gate, bool? Passed, string Message);

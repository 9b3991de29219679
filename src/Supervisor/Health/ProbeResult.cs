namespace Appliance.Supervisor.Health;

/// <summary>How one attempt of a check ended, in words for the page.</summary>
internal sealed record ProbeResult(bool Passed, string Message)
{
    /// <summary>A pass.</summary>
    public static ProbeResult Pass(string message) => new(true, message);

    /// <summary>A failure and its reason.</summary>
    public static ProbeResult Fail(string message) => new(false, message);
}

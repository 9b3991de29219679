namespace Appliance.Supervisor.Hooks;

/// <summary>What hooks are told; every value is an environment variable of theirs, empty when it does not apply.</summary>
internal sealed record HookContext
{
    /// <summary>The version that is, or was, being installed (<c>APPLIANCE_VERSION</c>).</summary>
    public required string Version { get; init; }

    /// <summary>The version it replaces (<c>APPLIANCE_FROM_VERSION</c>).</summary>
    public required string FromVersion { get; init; }

    /// <summary>The slot of the new version, <c>a</c> or <c>b</c> (<c>APPLIANCE_SLOT</c>).</summary>
    public string Slot { get; init; } = "";

    /// <summary>Why the device went back, in words (<c>APPLIANCE_REASON</c>).</summary>
    public string Reason { get; init; } = "";
}

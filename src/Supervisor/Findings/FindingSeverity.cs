namespace Appliance.Supervisor.Findings;

/// <summary>How much a finding matters.</summary>
internal enum FindingSeverity
{
    /// <summary>Worth knowing; nothing has to be done.</summary>
    Note,

    /// <summary>The device works, and somebody should see to it.</summary>
    Warning,

    /// <summary>The device does not do what it is for, or is about to stop.</summary>
    Error,
}

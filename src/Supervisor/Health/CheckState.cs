namespace Appliance.Supervisor.Health;

/// <summary>Where a check stands.</summary>
internal enum CheckState
{
    /// <summary>Not tried yet, or something is still starting.</summary>
    Waiting,

    /// <summary>It passes.</summary>
    Passes,

    /// <summary>It fails; whether that counts against the machine says <see cref="CheckStatus.Gates"/>.</summary>
    Fails,

    /// <summary>It does not pass, and nobody here is to blame: something outside is down, or it failed before the update, too.</summary>
    Excused,
}

namespace Appliance.Supervisor.Updates;

/// <summary>Where the engine stands, as its journal keeps it.</summary>
internal enum EnginePhase
{
    /// <summary>Nothing is under way.</summary>
    Idle,

    /// <summary>A version is fetched and written; an interruption is gone on from.</summary>
    Downloading,

    /// <summary>A version waits in the other slot for the restart.</summary>
    Installed,

    /// <summary>The new version runs and has not been kept yet.</summary>
    Probation,
}

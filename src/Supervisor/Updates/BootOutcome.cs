namespace Appliance.Supervisor.Updates;

/// <summary>What the engine does after it has compared its memory with what booted.</summary>
internal enum BootOutcome
{
    /// <summary>Nothing was under way.</summary>
    Nothing,

    /// <summary>It cannot be told before the slots can be read.</summary>
    Unknown,

    /// <summary>An installation was interrupted: it goes on.</summary>
    GoOn,

    /// <summary>A version waits for its restart.</summary>
    Wait,

    /// <summary>The new version runs: its verdict is waited for.</summary>
    Judge,

    /// <summary>The new version runs and the boot loader keeps it.</summary>
    Commit,

    /// <summary>Somebody gave the new version up, and it is still what boots: that is brought to its end.</summary>
    GivenUp,

    /// <summary>The new version was tried and the old one is back.</summary>
    RolledBack,

    /// <summary>An earlier trial is over and what it left behind is still there.</summary>
    TidyUp,
}

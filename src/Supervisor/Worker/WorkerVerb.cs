namespace Appliance.Supervisor.Worker;

/// <summary>What the root worker can do.</summary>
internal enum WorkerVerb
{
    /// <summary>Reads both slots.</summary>
    Slots,

    /// <summary>Looks for a version.</summary>
    Check,

    /// <summary>Writes a version into the slot that does not run.</summary>
    Install,

    /// <summary>Restarts the machine.</summary>
    Reboot,

    /// <summary>Keeps the running version before its trial is over.</summary>
    MarkGood,

    /// <summary>Makes the boot loader pass a slot over.</summary>
    MarkBad,

    /// <summary>Tidies up after a version that was kept.</summary>
    Commit,

    /// <summary>Tidies up after a version that was not.</summary>
    GiveUp,
}

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

    /// <summary>Reads the workloads; of one that is named, its objects, too.</summary>
    Workloads,

    /// <summary>Reads the workloads with their objects.</summary>
    WorkloadHealth,

    /// <summary>Asks whether the engine takes workloads, and takes the node back that was drained for a restart.</summary>
    Node,

    /// <summary>Applies the releases that the image brings, and takes away those that an image before it brought.</summary>
    ApplyIncluded,

    /// <summary>Looks for a release of a workload.</summary>
    CheckWorkload,

    /// <summary>Fetches a release of a workload.</summary>
    FetchWorkload,

    /// <summary>Applies a release that was fetched.</summary>
    ApplyWorkload,

    /// <summary>Goes back to the release before.</summary>
    RollBackWorkload,

    /// <summary>Takes a workload away.</summary>
    RemoveWorkload,

    /// <summary>Gives a release up that was being applied.</summary>
    GiveUpWorkload,

    /// <summary>Ends what was being applied when the worker was interrupted.</summary>
    ResumeWorkloads,

    /// <summary>Reads what the containers of a workload printed.</summary>
    WorkloadLog,

    /// <summary>Reads the credentials that need root to be changed.</summary>
    Credentials,

    /// <summary>Changes a credential.</summary>
    RotateCredential,

    /// <summary>Goes on with rotations that were interrupted, and lets go of credentials that have been kept long enough.</summary>
    ResumeCredentials,

    /// <summary>Seals a secret of the daemon.</summary>
    Seal,

    /// <summary>Unseals a secret of the daemon.</summary>
    Unseal,
}

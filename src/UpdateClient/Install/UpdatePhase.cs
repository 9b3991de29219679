namespace Appliance.UpdateClient.Install;

/// <summary>What an update is doing.</summary>
public enum UpdatePhase
{
    /// <summary>Reads back what an earlier run has written.</summary>
    Resuming,

    /// <summary>Fetches, verifies and writes.</summary>
    Writing,

    /// <summary>Brings the last bytes to the disk and compares the root hash.</summary>
    Finishing,

    /// <summary>The slot is ready to be booted.</summary>
    Done,
}

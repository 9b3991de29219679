namespace Appliance.UpdateServer.Fleet;

/// <summary>What a release is, and where it comes from.</summary>
internal enum ReleaseKind
{
    /// <summary>An operating system of the repository.</summary>
    Image,

    /// <summary>A workload of the repository.</summary>
    Workload,

    /// <summary>Files for devices that are not ours (SWUpdate, RAUC), uploaded as they are.</summary>
    Files,

    /// <summary>A credential that devices make anew. It has no files, and is never what a device has installed.</summary>
    Rotation,
}

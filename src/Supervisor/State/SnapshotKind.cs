namespace Appliance.Supervisor.State;

/// <summary>What a path was when the snapshot was taken.</summary>
internal enum SnapshotKind
{
    /// <summary>There was nothing: a restore takes away what the new version put there.</summary>
    Absent,

    /// <summary>A file, or a symbolic link.</summary>
    File,

    /// <summary>A folder with all that is in it.</summary>
    Folder,
}

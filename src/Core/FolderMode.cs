namespace Appliance.Core;

/// <summary>Modes of folders.</summary>
public static class FolderMode
{
    /// <summary>0700: the owner's alone.</summary>
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>0755: everybody may look.</summary>
    public const UnixFileMode Open = Private | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
}

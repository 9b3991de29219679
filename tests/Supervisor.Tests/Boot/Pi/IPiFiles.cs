namespace Supervisor.Tests.Boot.Pi;

/// <summary>A FAT file system as a Raspberry Pi's firmware reads it.</summary>
internal interface IPiFiles
{
    /// <summary>The content of a file; null when there is none. FAT does not tell upper from lower case.</summary>
    byte[]? Read(string path);
}

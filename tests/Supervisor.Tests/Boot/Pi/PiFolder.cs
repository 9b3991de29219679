namespace Supervisor.Tests.Boot.Pi;

/// <summary>A boot partition that is a folder here.</summary>
internal sealed class PiFolder(string folder) : IPiFiles
{
    public byte[]? Read(string path) => File.Exists(Path.Combine(folder, path)) ? File.ReadAllBytes(Path.Combine(folder, path)) : null;
}

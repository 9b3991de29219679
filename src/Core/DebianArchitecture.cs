using System.Runtime.InteropServices;

namespace Appliance.Core;

/// <summary>Debian's names of architectures, as boards and bundles use them.</summary>
public static class DebianArchitecture
{
    /// <summary>That of this machine.</summary>
    public static string Host => RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "amd64";
}

namespace Appliance.ImageBuilder.Packages;

/// <summary>One installed Debian package, as dpkg and the archive's index describe it.</summary>
internal sealed record DebianPackage(string Name, string Version, string Architecture, string Source, string Sha256, long InstalledKiB);

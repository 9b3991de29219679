namespace Appliance.ImageBuilder.Definition;

/// <summary>The machine an image is for: the validated content of a <c>boards/NAME.yaml</c>.</summary>
public sealed record BoardDefinition
{
    /// <summary>Name of the file without its ending.</summary>
    public required string Name { get; init; }

    /// <summary>Debian architecture: <c>amd64</c> or <c>arm64</c>.</summary>
    public required string Architecture { get; init; }

    /// <summary>How the machine chooses a slot.</summary>
    public BootScheme Boot { get; init; }

    /// <summary>Debian packages the machine needs, its kernel among them.</summary>
    public IReadOnlyList<string> Packages { get; init; } = [];

    /// <summary>Debian's archive areas beside <c>main</c> that they come from, e.g. <c>non-free-firmware</c>.</summary>
    public IReadOnlyList<string> ArchiveAreas { get; init; } = [];

    /// <summary>
    /// The packages that come from the suite's backports wherever those have them: names, and patterns such as <c>linux-*</c>
    /// (apt_preferences(5)). What the backports do not have, and everything else, comes from the suite.
    /// </summary>
    public IReadOnlyList<string> Backports { get; init; } = [];

    /// <summary>Kernel arguments, before the image's own.</summary>
    public IReadOnlyList<string> KernelArguments { get; init; } = [];

    /// <summary>Folders below <c>/lib/modules/VERSION/kernel</c> that are left out of the root, e.g. <c>sound</c>.</summary>
    public IReadOnlyList<string> ModulesExclude { get; init; } = [];

    /// <summary>The kernel modules the initrd carries, and no others but those they need: names, or folders below <c>/lib/modules/VERSION/kernel</c>.</summary>
    public IReadOnlyList<string> InitrdDrivers { get; init; } = [];
}

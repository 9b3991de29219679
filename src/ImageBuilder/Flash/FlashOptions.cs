namespace Appliance.ImageBuilder.Flash;

/// <summary>What <c>appliance flash</c> was asked to do.</summary>
internal sealed record FlashOptions
{
    /// <summary>Path or address of the image.</summary>
    public required string Image { get; init; }

    /// <summary>The disk or file; null to choose one.</summary>
    public string? Device { get; init; }

    /// <summary>Where the block map is, when not beside the image.</summary>
    public string? Map { get; init; }

    /// <summary>True to write every block.</summary>
    public bool WithoutMap { get; init; }

    /// <summary>SHA-256 that the image file must have.</summary>
    public string? Sha256 { get; init; }

    /// <summary>The exact name of a disk that something speaks against.</summary>
    public string? Force { get; init; }

    /// <summary>True when overwriting was agreed to.</summary>
    public bool Yes { get; init; }

    /// <summary>What the device is told (docs/provisioning.md); null for nothing.</summary>
    public string? Provision { get; init; }

    /// <summary>True to list built-in disks, too.</summary>
    public bool All { get; init; }

    /// <summary>True to read nothing back.</summary>
    public bool WithoutVerifying { get; init; }

    /// <summary>True to leave the medium in its drive.</summary>
    public bool WithoutEjecting { get; init; }

    /// <summary>True for events in JSON.</summary>
    public bool Json { get; init; }
}

namespace Appliance.UpdateServer.Fleet;

/// <summary>A file of a release, with the hashes that DDI's clients check.</summary>
internal sealed class Artifact
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>The release.</summary>
    public long ReleaseId { get; set; }

    /// <summary>Name that a device sees.</summary>
    public required string FileName { get; set; }

    /// <summary>Where it is: in the repository for releases from there, else in the folder of uploads.</summary>
    public required string Path { get; set; }

    /// <summary>Size in bytes.</summary>
    public long Size { get; set; }

    /// <summary>Lower-case hex.</summary>
    public required string Sha256 { get; set; }

    /// <summary>Lower-case hex; what hawkBit's clients compare.</summary>
    public required string Sha1 { get; set; }

    /// <summary>Lower-case hex.</summary>
    public required string Md5 { get; set; }
}

using Appliance.Core.Credentials;
using Appliance.Core.Health;
using Appliance.Core.Telemetry;

namespace Appliance.ImageBuilder.Definition;

/// <summary>What one image is made of: the validated content of an <c>appliance.yaml</c>.</summary>
public sealed record ImageDefinition
{
    /// <summary>The folder of the definition file; relative overlays are looked up here first.</summary>
    public required string Folder { get; init; }

    /// <summary>Image id (os-release <c>IMAGE_ID</c>): lower-case letters, digits and dashes, at most 24 characters.</summary>
    public required string Id { get; init; }

    /// <summary>Image version (os-release <c>IMAGE_VERSION</c>): compared by the UAPI version format specification.</summary>
    public required string Version { get; init; }

    /// <summary>Debian suite of the root and of the build tools.</summary>
    public string Suite { get; init; } = "trixie";

    /// <summary>The machine this image is for.</summary>
    public required BoardDefinition Board { get; init; }

    /// <summary>Every time stamp in the image (SOURCE_DATE_EPOCH), and the earliest time the device believes.</summary>
    public DateTimeOffset SourceDate { get; init; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Host name of a device until it is given another.</summary>
    public string Hostname { get; init; } = "appliance";

    /// <summary>System locale, e.g. <c>C.UTF-8</c> or <c>de_DE.UTF-8</c>.</summary>
    public string Locale { get; init; } = "C.UTF-8";

    /// <summary>IANA time zone.</summary>
    public string TimeZone { get; init; } = "UTC";

    /// <summary>Debian packages added to the board's and the engine's.</summary>
    public IReadOnlyList<string> PackagesAdd { get; init; } = [];

    /// <summary>Debian packages left out or taken away again.</summary>
    public IReadOnlyList<string> PackagesRemove { get; init; } = [];

    /// <summary>True keeps apt and dpkg in the root; by default they are removed with their data.</summary>
    public bool KeepPackageManager { get; init; }

    /// <summary>File trees laid over the root in this order; absolute paths of existing folders.</summary>
    public IReadOnlyList<string> Overlays { get; init; } = [];

    /// <summary>systemd units enabled in the image.</summary>
    public IReadOnlyList<string> ServicesEnable { get; init; } = [];

    /// <summary>systemd units masked in the image.</summary>
    public IReadOnlyList<string> ServicesDisable { get; init; } = [];

    /// <summary>Partition sizes.</summary>
    public PartitionSizes Sizes { get; init; } = new();

    /// <summary>How the root file system is compressed.</summary>
    public RootCompression Compression { get; init; }

    /// <summary>Kernel arguments after the board's.</summary>
    public IReadOnlyList<string> KernelArguments { get; init; } = [];

    /// <summary>People who may log in. None means that nobody can.</summary>
    public IReadOnlyList<UserDefinition> Users { get; init; } = [];

    /// <summary>Paths below /etc that live on the data partition and survive updates.</summary>
    public IReadOnlyList<string> PersistedEtc { get; init; } = [];

    /// <summary>Paths below /var and persisted ones below /etc whose content goes back with the version.</summary>
    public IReadOnlyList<string> State { get; init; } = [];

    /// <summary>The workload engine and, when its binaries cannot be had, what stands in for it.</summary>
    public WorkloadSettings Workloads { get; init; } = new();

    /// <summary>The health gate.</summary>
    public HealthSettings Health { get; init; } = new();

    /// <summary>Where updates come from and what is trusted, or null when the image says nothing of it.</summary>
    public UpdateDefinition? Updates { get; init; }

    /// <summary>Certificates (PEM) of the authority whose client certificates log in, or null.</summary>
    public string? ClientAuthority { get; init; }

    /// <summary>Address and port of the status page, or null for the supervisor's own choice.</summary>
    public string? Listen { get; init; }

    /// <summary>Where devices report to, or null for nowhere.</summary>
    public TelemetrySettings? Telemetry { get; init; }

    /// <summary>The update server that devices belong to, or null for none.</summary>
    public FleetDefinition? Fleet { get; init; }

    /// <summary>Secrets that the supervisor changes beside its own, or null for none.</summary>
    public CredentialSettings? Credentials { get; init; }
}

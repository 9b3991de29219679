namespace Supervisor.Tests.Boot.Pi;

/// <summary>What the firmware started.</summary>
internal sealed record PiBoot
{
    public int Partition { get; init; }
    public bool Tryboot { get; init; }
    public required byte[] Kernel { get; init; }
    public required byte[] Initramfs { get; init; }
    public required byte[] DeviceTree { get; init; }
    public byte[]? Overlay { get; init; }
    public required string CommandLine { get; init; }
}

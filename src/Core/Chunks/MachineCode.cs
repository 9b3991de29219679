namespace Appliance.Core.Chunks;

/// <summary>The machine code most programs in a payload are in.</summary>
public enum MachineCode
{
    /// <summary>None that is known.</summary>
    None,

    /// <summary>x86-64.</summary>
    X64,

    /// <summary>AArch64.</summary>
    Arm64,
}

namespace Appliance.Supervisor.Boot;

/// <summary>One of the two slots as the disk and the boot loader have it now.</summary>
internal sealed record SlotStatus
{
    /// <summary><c>a</c> or <c>b</c>.</summary>
    public required string Name { get; init; }

    /// <summary>True for the slot that runs.</summary>
    public required bool Running { get; init; }

    /// <summary>What it is worth.</summary>
    public required SlotState State { get; init; }

    /// <summary>The version it holds, or null when it is empty.</summary>
    public string? Version { get; init; }

    /// <summary>The dm-verity root hash of that version, 64 hex digits, or null when it is empty.</summary>
    public string? RootHash { get; init; }

    /// <summary>Tries the boot loader has left for it, or null when they are not counted.</summary>
    public int? TriesLeft { get; init; }

    /// <summary>Tries that began and were not called good.</summary>
    public int TriesDone { get; init; }

    /// <summary>True when the boot loader starts it as long as it has nothing it likes better.</summary>
    internal bool IsBootable => State == SlotState.Good || (State == SlotState.Trial && TriesLeft > 0);
}

namespace Appliance.Supervisor.Credentials;

/// <summary>What a step of a rotation works with.</summary>
/// <param name="Folder">The rotation's own folder on the data partition, which only its owner can read.</param>
/// <param name="OnStep">For tests: called before every change of the disk.</param>
internal sealed record RotationWork(string Folder, Action<string>? OnStep)
{
    /// <summary>Folder of the new credential.</summary>
    public string New => Path.Combine(Folder, "new");

    /// <summary>Folder of the old one.</summary>
    public string Old => Path.Combine(Folder, "old");

    /// <summary>What somebody brought as the new one; there is none where the device makes it.</summary>
    public string Given => Path.Combine(Folder, "given");

    /// <summary>Says that the disk is about to be changed.</summary>
    public void Say(string what) => OnStep?.Invoke(what);
}

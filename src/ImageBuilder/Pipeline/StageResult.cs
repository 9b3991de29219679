namespace Appliance.ImageBuilder.Pipeline;

/// <summary>A stage's result: where it is, and what it is called in the keys of the stages that build on it.</summary>
internal sealed record StageResult(string Name, string Folder, string Identity)
{
    /// <summary>Path of a file of the result.</summary>
    public string File(string name) => Path.Combine(Folder, name);
}

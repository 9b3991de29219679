using Appliance.Core;

namespace Appliance.ImageBuilder.Build;

/// <summary>Where the product's own files are: found by walking up from the program and from the definition.</summary>
internal static class ProductFolders
{
    /// <summary>The folder with <c>boards/</c>, <c>engines/</c>, <c>overlays/</c> and <c>initrd/</c>.</summary>
    public static string Library(string definitionPath) =>
        Search(definitionPath, folder => Probe(folder) ?? Probe(Path.Combine(folder, "image")))
        ?? throw new UserError(
            "The folder with the boards and overlays (image/) was not found beside the program or the definition.",
            "Run the program from a clone of the project, or copy its image/ folder beside your definition.");

    /// <summary>The supervisor's project file, or null when this is no clone of the project.</summary>
    public static string? SupervisorProject(string definitionPath) =>
        Search(definitionPath, folder =>
        {
            var project = Path.Combine(folder, "src", "Supervisor", "Supervisor.csproj");
            return File.Exists(project) ? project : null;
        });

    private static string? Probe(string folder) => Directory.Exists(Path.Combine(folder, "boards")) && Directory.Exists(Path.Combine(folder, "initrd")) ? folder : null;

    private static string? Search(string definitionPath, Func<string, string?> probe)
    {
        string[] starts = [Path.GetDirectoryName(Path.GetFullPath(definitionPath))!, AppContext.BaseDirectory];
        foreach (var start in starts)
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                if (probe(folder.FullName) is { } found) return found;
            }
        }
        return null;
    }
}

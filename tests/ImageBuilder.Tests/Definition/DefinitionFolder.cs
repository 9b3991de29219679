namespace ImageBuilder.Tests.Definition;

/// <summary>A definition in a temporary folder, with the product's own boards and engines to look up.</summary>
internal sealed class DefinitionFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("definition");

    /// <summary>The product's image/ folder.</summary>
    public static string Library { get; } = FindLibrary();

    public string File => Path.Combine(_folder.FullName, "appliance.yaml");

    public string Write(string yaml)
    {
        System.IO.File.WriteAllText(File, yaml);
        return File;
    }

    public string CreateFolder(string name) => Directory.CreateDirectory(Path.Combine(_folder.FullName, name)).FullName;

    public void Dispose() => _folder.Delete(recursive: true);

    private static string FindLibrary()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (Directory.Exists(Path.Combine(folder.FullName, "image", "boards"))) return Path.Combine(folder.FullName, "image");
        throw new InvalidOperationException("the tests do not run inside a clone");
    }
}

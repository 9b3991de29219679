namespace ImageBuilder.Tests;

/// <summary>A temporary folder that is gone after the test.</summary>
internal sealed class Temporary : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("builder");

    public string this[string name] => Path.Combine(_folder.FullName, name);

    public string Folder => _folder.FullName;

    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public void Dispose() => _folder.Delete(recursive: true);
}

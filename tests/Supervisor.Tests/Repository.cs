namespace Supervisor.Tests;

/// <summary>The working copy the tests were built in: documentation and pictures are compared with it.</summary>
internal static class Repository
{
    /// <summary>Its folder.</summary>
    public static string Folder { get; } = Find();

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Appliance.sln"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }
}

using System.Reflection;

namespace Appliance.Supervisor.Web;

/// <summary>The files of <c>wwwroot</c>, embedded in the program.</summary>
internal static class StaticFiles
{
    /// <summary>The text of a file.</summary>
    public static string Text(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"www/{name}") ?? throw new InvalidOperationException($"wwwroot/{name} is not embedded");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

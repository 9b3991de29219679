namespace UpdateClient.Tests.Install;

/// <summary>The update client as a program of its own, as the build put it beside its project.</summary>
internal static class HostProgram
{
    /// <summary>Its path.</summary>
    public static string Path
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(System.IO.Path.Combine(folder.FullName, "build.sh"))) folder = folder.Parent!;
            var own = AppContext.BaseDirectory.TrimEnd('/');
            return System.IO.Path.Combine(folder.FullName, "tests/UpdateClient.Host/bin", System.IO.Path.GetFileName(System.IO.Path.GetDirectoryName(own)!), System.IO.Path.GetFileName(own), "update-client-host");
        }
    }
}

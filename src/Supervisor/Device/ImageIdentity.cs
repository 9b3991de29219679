namespace Appliance.Supervisor.Device;

/// <summary>What image runs here, from <c>/usr/lib/os-release</c>.</summary>
internal sealed record ImageIdentity(string Id, string Version, string Board, string WorkloadsEngine, string System)
{
    /// <summary>Reads os-release below a root folder; fields that are missing read "unknown".</summary>
    public static ImageIdentity Read(string root)
    {
        var fields = new Dictionary<string, string>();
        var path = Path.Combine(root, "usr/lib/os-release");
        foreach (var line in File.Exists(path) ? File.ReadLines(path) : [])
        {
            var equals = line.IndexOf('=');
            if (equals > 0 && line[0] != '#') fields[line[..equals]] = line[(equals + 1)..].Trim().Trim('"', '\'');
        }
        string Field(string name) => fields.GetValueOrDefault(name) is { Length: > 0 } value ? value : "unknown";
        return new ImageIdentity(Field("IMAGE_ID"), Field("IMAGE_VERSION"), Field("APPLIANCE_BOARD"), Field("APPLIANCE_WORKLOADS"), Field("PRETTY_NAME"));
    }
}

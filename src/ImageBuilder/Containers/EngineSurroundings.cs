using Docker.DotNet;

namespace Appliance.ImageBuilder.Containers;

/// <summary>What decides where a container engine is looked for.</summary>
internal sealed class EngineSurroundings : IDockerCliSettings
{
    /// <summary>Gives an environment variable; empty ones count as not set.</summary>
    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;

    /// <summary>The home folder.</summary>
    public string Home { get; init; } = System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile);

    /// <summary>True on Windows.</summary>
    public bool IsWindows { get; init; } = OperatingSystem.IsWindows();

    /// <summary>True on macOS.</summary>
    public bool IsMac { get; init; } = OperatingSystem.IsMacOS();

    /// <summary>Folder of the docker command's settings.</summary>
    public string DockerConfig => Variable("DOCKER_CONFIG") ?? Path.Combine(Home, ".docker");

    /// <summary>Null: <see cref="EngineAddress"/> looks at it itself.</summary>
    public string? DockerHost => null;

    /// <summary>The context that the environment names.</summary>
    public string? DockerContext => Variable("DOCKER_CONTEXT");

    /// <summary>Null: TLS is asked for by the address.</summary>
    public string? DockerTlsVerify => null;

    /// <summary>A variable, or null when it is not set or empty.</summary>
    public string? Variable(string name) => Environment(name) is { Length: > 0 } value ? value : null;
}

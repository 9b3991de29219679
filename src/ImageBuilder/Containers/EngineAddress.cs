using System.Text.Json;
using Appliance.Core;
using Docker.DotNet;

namespace Appliance.ImageBuilder.Containers;

/// <summary>Where a container engine may listen, and who says so.</summary>
/// <param name="Uri">A <c>unix:</c>, <c>npipe:</c> or <c>tcp:</c> address.</param>
/// <param name="Origin">What named it: an option, a variable, a context, or the place where engines are by default.</param>
/// <param name="IsChosen">True when a person chose it, so that no other may take its place.</param>
internal sealed record EngineAddress(Uri Uri, string Origin, bool IsChosen)
{
    /// <summary>Path of the Unix socket, or null when it is none.</summary>
    public string? Socket => Uri.Scheme == "unix" ? Uri.LocalPath : null;

    /// <summary>The address somebody chose, alone, or the places where engines are by default, in the order to try them.</summary>
    /// <param name="given">The option <c>--engine</c>.</param>
    /// <param name="surroundings">Variables and folders of the caller.</param>
    /// <exception cref="UserError">The chosen address cannot be used.</exception>
    public static IReadOnlyList<EngineAddress> Candidates(string? given, EngineSurroundings surroundings)
    {
        if (given is not null) return [Chosen(given, "--engine")];
        foreach (var variable in new[] { "DOCKER_HOST", "CONTAINER_HOST" })
            if (surroundings.Variable(variable) is { } value) return [Chosen(value, variable)];
        if (FromContext(surroundings) is { } context) return [context];
        return Usual(surroundings).Select(place => new EngineAddress(new Uri(place), "the usual place", IsChosen: false)).ToList();
    }

    /// <summary>The address as it is shown.</summary>
    public override string ToString() => Socket ?? Uri.OriginalString;

    private static EngineAddress Chosen(string text, string origin)
    {
        if (text.StartsWith('/')) text = $"unix://{text}";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri)) throw new UserError($"{origin} is {text}, which is no address of a container engine.", "Example: unix:///run/podman/podman.sock");
        return uri.Scheme switch
        {
            "unix" or "npipe" or "tcp" or "http" => new EngineAddress(uri, origin, IsChosen: true),
            "ssh" => throw new UserError($"{origin} is {text}; engines are not reached by SSH from here.", $"Bring its socket here: ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock {uri.UserInfo}{(uri.UserInfo.Length > 0 ? "@" : "")}{uri.Host}, then --engine unix:///tmp/engine.sock"),
            _ => throw new UserError($"{origin} is {text}; only unix:, npipe: and tcp: addresses can be used.", "Example: unix:///run/podman/podman.sock"),
        };
    }

    /// <summary>What <c>docker context use</c> chose: Docker Desktop, Colima and Rancher Desktop put their engines there.</summary>
    private static EngineAddress? FromContext(EngineSurroundings surroundings)
    {
        var config = new DockerConfig(surroundings);
        var name = surroundings.DockerContext;
        try
        {
            if (name is null && config.Exists)
            {
                using var settings = config.Parse();
                name = settings.RootElement.TryGetProperty("currentContext", out var current) ? current.GetString() : null;
            }
            return string.IsNullOrEmpty(name) || name == "default" ? null : Chosen(config.GetEndpoint(name).OriginalString, $"docker's context \"{name}\"");
        }
        catch (Exception e) when (e is DockerConfigurationException or JsonException or IOException or InvalidOperationException)
        {
            throw new UserError($"docker's context {name} cannot be read: {e.Message}", "Choose another with `docker context use`, or name the engine with --engine.", e);
        }
    }

    private static IEnumerable<string> Usual(EngineSurroundings surroundings)
    {
        if (surroundings.IsWindows) return ["npipe://./pipe/docker_engine", "npipe://./pipe/podman-machine-default"];
        var home = surroundings.Home;
        if (surroundings.IsMac)
        {
            List<string> places = [$"unix://{home}/.docker/run/docker.sock", "unix:///var/run/docker.sock", $"unix://{home}/.colima/default/docker.sock", $"unix://{home}/.rd/docker.sock"];
            if (surroundings.Variable("TMPDIR") is { } temporary) places.Add($"unix://{Path.Join(temporary, "podman/podman-machine-default-api.sock")}");
            return [.. places, $"unix://{home}/.local/share/containers/podman/machine/podman.sock"];
        }
        List<string> sockets = ["unix:///var/run/docker.sock"];
        if (surroundings.Variable("XDG_RUNTIME_DIR") is { } runtime) sockets.AddRange([$"unix://{runtime}/docker.sock", $"unix://{runtime}/podman/podman.sock"]);
        return [.. sockets, "unix:///run/podman/podman.sock"];
    }
}

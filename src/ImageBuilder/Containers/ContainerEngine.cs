using System.Net.Sockets;
using Appliance.Core;
using Docker.DotNet;
using Docker.DotNet.Models;

namespace Appliance.ImageBuilder.Containers;

/// <summary>A container engine that answers: Docker, or podman by the same API.</summary>
internal sealed class ContainerEngine : IDisposable
{
    private static readonly TimeSpan LongestPing = TimeSpan.FromSeconds(10);

    private ContainerEngine(EngineAddress address, DockerClient client, VersionResponse version) => (Address, Client, Version) = (address, client, version);

    /// <summary>Where it is.</summary>
    public EngineAddress Address { get; }

    /// <summary>Its API.</summary>
    public DockerClient Client { get; }

    /// <summary>What it says of itself.</summary>
    public VersionResponse Version { get; }

    /// <summary>Debian architecture of its containers.</summary>
    public string Architecture => Version.Arch;

    /// <summary>Finds an engine that answers.</summary>
    /// <param name="given">The option <c>--engine</c>.</param>
    /// <param name="surroundings">Where to look.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="UserError">None answers; the message says what was tried.</exception>
    public static async Task<ContainerEngine> ConnectAsync(string? given, EngineSurroundings surroundings, CancellationToken cancellationToken)
    {
        var tried = new List<string>();
        var denied = false;
        foreach (var address in EngineAddress.Candidates(given, surroundings))
        {
            if (address.Socket is { } socket && !File.Exists(socket))
            {
                tried.Add($"{address} ({address.Origin}): not there");
                continue;
            }
            var client = new DockerClientBuilder().WithEndpoint(address.Uri).WithTimeout(Timeout.InfiniteTimeSpan).Build();
            try
            {
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                patience.CancelAfter(LongestPing);
                var version = await client.System.GetVersionAsync(patience.Token);
                if (version.Os == "linux") return new ContainerEngine(address, client, version);
                tried.Add($"{address} ({address.Origin}): runs {version.Os} containers; switch it to Linux containers");
            }
            catch (Exception e) when (e is not UserError && !cancellationToken.IsCancellationRequested)
            {
                denied |= IsDenied(e);
                tried.Add($"{address} ({address.Origin}): {(IsDenied(e) ? "permission denied" : e is OperationCanceledException ? "does not answer" : Reason(e))}");
            }
            client.Dispose();
        }
        throw new UserError($"No container engine answers. Tried:{string.Concat(tried.Select(line => $"\n    {line}"))}",
            denied ? "Let yourself in (sudo usermod --append --groups docker $USER, then log in again), or use podman's own socket: systemctl --user start podman.socket"
            : surroundings.IsWindows || surroundings.IsMac ? "Start Docker Desktop or Podman Desktop (podman machine start), or name the engine with --engine."
            : "Start one (systemctl --user start podman.socket, or sudo systemctl start docker), or name it with --engine.");
    }

    /// <summary>Does something with the engine; what it refuses becomes an error to show.</summary>
    /// <exception cref="UserError">The engine refused, is out of space, or has gone.</exception>
    public async Task<T> AskAsync<T>(string doing, Func<DockerClient, Task<T>> ask)
    {
        try
        {
            return await ask(Client);
        }
        catch (DockerApiException e)
        {
            throw Refused(doing, MessageOf(e), e);
        }
        catch (Exception e) when (e is HttpRequestException or SocketException || e is IOException { InnerException: SocketException })
        {
            throw new UserError($"The container engine at {Address} went away while {doing}: {Reason(e)}", "Start it again and repeat the command.", e);
        }
    }

    /// <summary>Does something with the engine that has no result.</summary>
    public Task AskAsync(string doing, Func<DockerClient, Task> ask) => AskAsync(doing, async client =>
    {
        await ask(client);
        return true;
    });

    /// <summary>The error of a refusal.</summary>
    public UserError Refused(string doing, string message, Exception? inner = null) =>
        message.Contains("no space left", StringComparison.OrdinalIgnoreCase)
            ? new UserError($"The container engine's disk is full ({doing}).", "Free some space: docker system prune (or podman system prune); on Windows and macOS, give the engine's machine a larger disk.", inner)
            : new UserError($"The container engine at {Address} refused {doing}: {message}", null, inner);

    public void Dispose() => Client.Dispose();

    /// <summary>Engines answer with <c>{"message": "…"}</c>.</summary>
    private static string MessageOf(DockerApiException error)
    {
        try
        {
            return (string?)System.Text.Json.Nodes.JsonNode.Parse(error.ResponseBody ?? "")?["message"] ?? error.Message;
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException)
        {
            return error.ResponseBody is { Length: > 0 } body ? body.Trim() : error.Message;
        }
    }

    private static bool IsDenied(Exception error) => Chain(error).Any(e => e is SocketException { SocketErrorCode: SocketError.AccessDenied } or UnauthorizedAccessException);

    private static string Reason(Exception error) => Chain(error).Last().Message;

    private static IEnumerable<Exception> Chain(Exception error)
    {
        for (Exception? e = error; e is not null; e = e.InnerException) yield return e;
    }
}

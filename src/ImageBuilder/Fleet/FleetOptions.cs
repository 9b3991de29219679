using System.CommandLine;
using Appliance.Core;

namespace Appliance.ImageBuilder.Fleet;

/// <summary>Where the update server is, and by whose key it is used. The key comes from a file or the environment: a command line is seen by everybody on the machine.</summary>
internal sealed class FleetOptions
{
    private const string ServerVariable = "APPLIANCE_SERVER", KeyVariable = "APPLIANCE_SERVER_KEY", FingerprintVariable = "APPLIANCE_SERVER_FINGERPRINT";

    private readonly Option<string?> _server = new("--server") { Description = $"Address of the update server (or {ServerVariable})." };
    private readonly Option<string?> _key = new("--key-file") { Description = $"File with a key of the server (or the key itself in {KeyVariable})." };
    private readonly Option<string?> _fingerprint = new("--fingerprint") { Description = $"SHA-256 of the server's certificate, when this machine does not trust it (or {FingerprintVariable})." };
    private readonly Option<bool> _json = new("--json") { Description = "What the server answers, as JSON on standard output." };

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="json">Whether <c>--json</c> is among them.</param>
    public void AddTo(Command command, bool json = true)
    {
        foreach (var option in new Option[] { _server, _key, _fingerprint }) command.Add(option);
        if (json) command.Add(_json);
    }

    /// <summary>Whether a server is named on the command line.</summary>
    public bool IsNamed(ParseResult result) => result.GetResult(_server) is { Implicit: false };

    /// <summary>Whether the answer is for a machine.</summary>
    public bool Json(ParseResult result) => result.GetValue(_json);

    /// <summary>Connects.</summary>
    /// <exception cref="UserError">Something is missing.</exception>
    public FleetClient Open(ParseResult result)
    {
        var server = result.GetValue(_server) ?? Variable(ServerVariable) ?? throw new UserError("Which update server?", $"Name it with --server, or set {ServerVariable}: https://updates.example:8443");
        if (!Uri.TryCreate(server, UriKind.Absolute, out var address) || (address.Scheme != Uri.UriSchemeHttps && !(address.Scheme == Uri.UriSchemeHttp && address.IsLoopback)))
            throw new UserError($"--server {server} is no address of an update server.", "Example: https://updates.example:8443");
        return new FleetClient(address, Key(result), result.GetValue(_fingerprint) ?? Variable(FingerprintVariable));
    }

    private string Key(ParseResult result)
    {
        if (result.GetValue(_key) is not { } file) return Variable(KeyVariable) ?? throw new UserError("The server asks for a key.", $"Name a file with it (--key-file), or set {KeyVariable}.");
        try
        {
            return File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{file} cannot be read: {e.Message}", "Name the file with the key.", e);
        }
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? text : null;
}

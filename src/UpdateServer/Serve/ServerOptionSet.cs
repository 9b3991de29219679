using System.CommandLine;
using System.Globalization;
using System.Net;
using Appliance.Core;
using Appliance.Core.Fleet;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.UpdateServer.Access;
using Appliance.UpdateServer.Fleet;

namespace Appliance.UpdateServer.Serve;

/// <summary>The options of the commands. Secrets come from files or the environment: a command line is seen by everybody on the machine.</summary>
internal sealed class ServerOptionSet
{
    private const string DatabaseVariable = "APPLIANCE_SERVER_DATABASE", GatewayVariable = "APPLIANCE_SERVER_GATEWAY_TOKEN", PassphraseVariable = "APPLIANCE_KEYS_PASSPHRASE";
    private const int ShortestToken = 20, MostDays = 3650;

    private readonly Option<string> _data = new("--data") { Description = "Folder for the database, uploads and the server's certificate.", DefaultValueFactory = _ => "/var/lib/appliance-server" };
    private readonly Option<string?> _databaseFile = new("--database-file") { Description = $"File with a PostgreSQL connection string (or set {DatabaseVariable}); without it, a SQLite file in the data folder." };
    private readonly Option<string?> _repository = new("--repo") { Description = "Folder of the repository that `appliance publish` writes." };
    private readonly Option<string?> _repositoryUrl = new("--repository-url") { Description = "Where devices find a copy of the repository: a CDN or an object store (default: this server)." };
    private readonly Option<string?> _onlineKeys = new("--online-keys") { Description = "Folder with the keys of snapshot and timestamp and root.json: publishes and renews with them what others have signed." };
    private readonly Option<string?> _passphrase = new("--online-keys-passphrase-file") { Description = $"File with their passphrase (or set {PassphraseVariable})." };
    private readonly Option<string> _listen = new("--listen") { Description = "Address to listen at.", DefaultValueFactory = _ => "https://0.0.0.0:8443" };
    private readonly Option<string?> _certificate = new("--certificate") { Description = "Certificate (PEM) of the server; without it one is made." };
    private readonly Option<string?> _key = new("--certificate-key") { Description = "Its key (PEM), when it is not in the same file." };
    private readonly Option<string?> _trust = new("--server-trust") { Description = "Authorities (PEM) by which devices are to trust this server from now on; they take them over before its certificate is another's." };
    private readonly Option<string?> _authority = new("--device-authority") { Description = "Authority (PEM) whose certificates devices log in with; the common name is the device's id." };
    private readonly Option<string?> _issuer = new("--device-issuer") { Description = "Authority (PEM, with its key) that issues devices' certificates; without it, with SQLite, one is made." };
    private readonly Option<int> _life = new("--certificate-days") { Description = "How long a device's certificate holds.", DefaultValueFactory = _ => 30 };
    private readonly Option<int> _grace = new("--certificate-grace-days") { Description = "How long after its end a device may still renew by a certificate.", DefaultValueFactory = _ => 180 };
    private readonly Option<string[]> _proxies = new("--proxy") { Description = "Address of a proxy in front whose X-Forwarded-… and X-Ssl-Client-Cn are believed.", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string> _tenant = new("--tenant") { Description = "Tenant in the paths of DDI.", DefaultValueFactory = _ => "default" };
    private readonly Option<string> _poll = new("--poll") { Description = "How often devices ask (hh:mm:ss).", DefaultValueFactory = _ => "00:05:00" };
    private readonly Option<string?> _gatewayFile = new("--gateway-token-file") { Description = $"File with a token by which unknown devices register (or set {GatewayVariable})." };
    private readonly Option<string> _upload = new("--largest-upload") { Description = "Largest file that can be uploaded.", DefaultValueFactory = _ => "16GiB" };

    /// <summary>Options that say where the server's memory is.</summary>
    public IEnumerable<Option> OfDatabase => [_data, _databaseFile];

    /// <summary>All options.</summary>
    public IEnumerable<Option> All => [_data, _databaseFile, _repository, _repositoryUrl, _onlineKeys, _passphrase, _listen, _certificate, _key, _trust, _authority, _issuer, _life, _grace, _proxies, _tenant, _poll, _gatewayFile, _upload];

    /// <summary>Opens the database.</summary>
    /// <exception cref="UserError">It cannot be used.</exception>
    public FleetDatabase OpenDatabase(ParseResult result)
    {
        if (Secret(result.GetValue(_databaseFile), DatabaseVariable) is { } connection) return FleetDatabase.Postgres(connection);
        return FleetDatabase.Sqlite(Path.Combine(DataFolder(result), "fleet.db"));
    }

    /// <summary>Reads them.</summary>
    /// <exception cref="UserError">One makes no sense.</exception>
    public ServeOptions Read(ParseResult result)
    {
        var listen = result.GetValue(_listen)!;
        if (!Uri.TryCreate(listen, UriKind.Absolute, out var address) || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)) throw new UserError($"--listen {listen} is no address.", "Examples: https://0.0.0.0:8443, http://127.0.0.1:8080");
        if (!TimeSpan.TryParseExact(result.GetValue(_poll), @"hh\:mm\:ss", CultureInfo.InvariantCulture, out var poll) || poll < TimeSpan.FromSeconds(1)) throw new UserError($"--poll {result.GetValue(_poll)} is no time.", "Example: 00:05:00");
        var repository = result.GetValue(_repository);
        if (repository is not null && !Directory.Exists(repository)) throw new UserError($"There is no folder {repository}.", "Name the folder that `appliance publish --repo` writes, or make an empty one.");
        var copy = result.GetValue(_repositoryUrl);
        if (copy is not null && !WebAddress.IsBase(copy)) throw new UserError($"--repository-url {copy} is no address.", "Example: https://cdn.example.net/updates");
        var gateway = Secret(result.GetValue(_gatewayFile), GatewayVariable);
        if (gateway?.Length < ShortestToken) throw new UserError($"The gateway token has fewer than {ShortestToken} characters.", "openssl rand -hex 32 makes a good one.");
        return new ServeOptions
        {
            DataFolder = DataFolder(result),
            Repository = repository is null ? null : Path.GetFullPath(repository),
            RepositoryUrl = copy is null ? null : new Uri(copy.EndsWith('/') ? copy : copy + "/"),
            OnlineKeys = OnlineKeys(result, repository),
            Listen = address,
            Certificate = result.GetValue(_certificate),
            CertificateKey = result.GetValue(_key),
            ServerTrust = Trust(result.GetValue(_trust)),
            DeviceAuthority = result.GetValue(_authority),
            DeviceIssuer = result.GetValue(_issuer),
            CertificateLife = Days(result, _life, 1),
            CertificateGrace = Days(result, _grace, 0),
            Proxies = [.. (result.GetValue(_proxies) ?? []).Select(text => IPAddress.TryParse(text, out var proxy) ? proxy : throw new UserError($"--proxy {text} is no address."))],
            Tenant = result.GetValue(_tenant)!,
            Poll = poll,
            GatewayTokenHash = gateway is null ? null : SecretToken.Hash(gateway),
            LargestUpload = ByteSize.TryParse(result.GetValue(_upload), out var largest) ? largest : throw new UserError($"--largest-upload {result.GetValue(_upload)} is no size.", "Example: 2GiB"),
        };
    }

    private static string? Trust(string? path)
    {
        if (path is null) return null;
        try
        {
            return ServerTrust.Parse(File.ReadAllText(path)).Pem;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserError($"--server-trust {path} cannot be used: {e.Message}", "It is a PEM file with the certificates of authorities, without keys.", e);
        }
    }

    private KeyFolder? OnlineKeys(ParseResult result, string? repository)
    {
        if (result.GetValue(_onlineKeys) is not { } path) return null;
        if (repository is null) throw new UserError("--online-keys publishes into a repository, and there is none.", "Name its folder with --repo.");
        var passphrase = Secret(result.GetValue(_passphrase), PassphraseVariable) ?? throw new UserError("The passphrase of the online keys is not known.", $"Name a file with it (--online-keys-passphrase-file), or set {PassphraseVariable}.");
        var keys = KeyFolder.Open(path, () => passphrase);
        foreach (var role in new[] { TufRole.Snapshot, TufRole.Timestamp })
            if (keys.SignersFor(role).Count == 0) throw new UserError($"{path} has no key of {role}.", $"Copy {role}-….pem and root.json there, and leave the keys of root, targets and channels where they are.");
        keys.CheckPassphrase();
        return keys;
    }

    private static TimeSpan Days(ParseResult result, Option<int> option, int least) =>
        result.GetValue(option) is var days && days >= least && days <= MostDays ? TimeSpan.FromDays(days) : throw new UserError($"{option.Name} is a number from {least} to {MostDays}.");

    private string DataFolder(ParseResult result)
    {
        var folder = Path.GetFullPath(result.GetValue(_data)!);
        try
        {
            return Directory.CreateDirectory(folder, FolderMode.Private).FullName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"The folder {folder} cannot be made: {e.Message}", "Choose another with --data.", e);
        }
    }

    private static string? Secret(string? file, string variable)
    {
        if (file is null) return Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? text : null;
        try
        {
            return File.ReadAllText(file).Trim() is { Length: > 0 } secret ? secret : throw new UserError($"{file} is empty.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{file} cannot be read: {e.Message}", "", e);
        }
    }
}

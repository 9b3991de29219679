using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Appliance.Core.Credentials;
using Appliance.Core.Yaml;

namespace Appliance.Core.Provisioning;

/// <summary>
/// What one device is told that its image does not say: <c>provision.yaml</c> on the small FAT partition of its disk or card. The device
/// takes it at its next start, and erases it.
/// </summary>
public sealed record ProvisionFile
{
    /// <summary>Name of the file.</summary>
    public const string Name = "provision.yaml";

    /// <summary>Names that it has, too: Windows hides the ending that its editor gives.</summary>
    public static readonly IReadOnlyList<string> Names = [Name, "provision.yml", "provision.yaml.txt"];

    /// <summary>Most bytes of the file.</summary>
    public const int Largest = 64 << 10;

    private const string NoProxy = "none";

    private static readonly Shape Address = new ValueShape("an address such as 192.0.2.7 or 2001:db8::7", text => AddressOf(text)?.ToString(), () => new JsonObject { ["type"] = "string" });

    private static readonly Shape Secret = new TextShape("a word without spaces", "[!-~]{1,512}");

    private static readonly MappingShape NetworkForm = new("a mapping with interface, addresses, gateway and dns",
        [
            new("interface", new TextShape("the name of a network card such as eth0, or a pattern such as en*", "[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,14}"), "Card, or a pattern.", null),
            new("addresses", new ListShape<string>(new ValueShape("an address with its prefix such as 192.0.2.7/24", AddressWithPrefix, () => new JsonObject { ["type"] = "string" }), "a list of addresses", 16), "Its own addresses; without any it asks (DHCP, router advertisements).", "[]"),
            new("gateway", Address, "Way to other networks.", ""),
            new("dns", new ListShape<string>(Address, "a list of addresses", 8), "Who knows names.", "[]"),
        ],
        bag => bag.Has("gateway") && !bag.Has("addresses") ? throw bag.Error("gateway", "a card that asks for its address is told of its gateway, too; name addresses, or leave it out")
            : new ProvisionedNetwork(bag.Get<string>("interface"), bag.List<string>("addresses"), bag.Get<string?>("gateway", null), bag.List<string>("dns")));

    private static readonly MappingShape WifiForm = new("a mapping with ssid, passphrase and hidden",
        [
            new("ssid", new ValueShape("the name of a network, 1 to 32 bytes", text => System.Text.Encoding.UTF8.GetByteCount(text) is >= 1 and <= 32 && !text.Any(char.IsControl) ? text : null, () => new JsonObject { ["type"] = "string", ["maxLength"] = 32 }), "Name of the network.", null),
            new("passphrase", new TextShape("a passphrase of 8 to 63 ASCII characters", "[ -~]{8,63}"), "WPA2 or WPA3 passphrase; without it the network is an open one.", ""),
            new("hidden", ValueShape.Boolean(), "The network does not say its name.", "false"),
        ],
        bag => new ProvisionedWifi(bag.Get<string>("ssid"), bag.Get<string?>("passphrase", null), bag.Get("hidden", false)));

    private static readonly MappingShape ProxyForm = new("a mapping with url and except",
        [
            new("url", new TextShape("an http URL such as http://proxy.example.net:3128, or none", @"none|http://[!-~]+", text => text == NoProxy || Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri is { Host.Length: > 0, AbsolutePath: "/", Query: "", Fragment: "" }), "The proxy; `none` takes back what an earlier file said.", null),
            new("except", new ListShape<string>(new TextShape("a host, a domain such as .example.net, or a network", "[A-Za-z0-9.:/_*-]{1,255}"), "a list of hosts", 100), "Who is reached without it, beside the machine itself and the cluster's networks.", "[]"),
        ],
        bag => bag.Get<string>("url") is var url && url != NoProxy ? new ProvisionedProxy(url, bag.List<string>("except"))
            : bag.Has("except") ? throw bag.Error("except", "without a proxy nobody is excepted from it; leave it out")
            : new ProvisionedProxy(null, []));

    private static readonly MappingShape FleetForm = new("a mapping with enrolmentToken, and server, tenant and trust where they are not the image's",
        [
            new("enrolmentToken", Secret, "Token by which the server lets the device in.", null),
            new("server", CommonShapes.FleetServer, "Address of the server.", ""),
            new("tenant", CommonShapes.Tenant, "Tenant there.", ""),
            new("trust", new ValueShape("certificates (PEM)", text => text.Contains("-----BEGIN CERTIFICATE-----", StringComparison.Ordinal) ? text : null, () => new JsonObject { ["type"] = "string" }), "Certificates that the server is trusted by.", ""),
        ],
        bag => new ProvisionedFleet(bag.Get<string>("enrolmentToken"), bag.Get<string?>("server", null), bag.Get<string?>("tenant", null), bag.Get<string?>("trust", null)));

    private static readonly MappingShape KubernetesForm = new("a mapping with role, server and token",
        [
            new("role", ValueShape.Choice(("server", false), ("agent", true)), "Whether the node has a control plane.", "server"),
            new("server", new TextShape("an https URL such as https://192.0.2.1:6443", @"https://[!-~]+", WebAddress.IsBase), "A server of the cluster that the node joins; without it a server begins one.", ""),
            new("token", Secret, "What it joins by, or lets others join by.", ""),
        ],
        bag =>
        {
            var isAgent = bag.Get("role", false);
            if (isAgent && !bag.Has("server")) throw bag.Error("role", "an agent joins a cluster; name a server of it");
            if (bag.Has("server") && !bag.Has("token")) throw bag.Error("server", "a node joins by a token; name it");
            return new ProvisionedKubernetes(isAgent, bag.Get<string?>("server", null), bag.Get<string?>("token", null));
        });

    /// <summary>The form of the file.</summary>
    internal static readonly MappingShape Form = new("a mapping with what this device is told, such as hostname or network",
        [
            new("hostname", CommonShapes.HostName, "Host name.", ""),
            new("timeZone", CommonShapes.TimeZone, "Time zone.", ""),
            new("network", new ListShape<ProvisionedNetwork>(NetworkForm, "a list of network cards", 16), "Network cards that the image's way (ask for an address) is not right for.", ""),
            new("wifi", new ListShape<ProvisionedWifi>(WifiForm, "a list of wireless networks", 16), "Wireless networks; the image needs `iwd`.", ""),
            new("sshKeys", new ListShape<AuthorizedUser>(AuthorizedKeys.User, "a list of users and their keys", 100), "Keys beside those of the image, for users of the image; a signed list stands above them.", ""),
            new("proxy", ProxyForm, "The way out: to updates, the fleet's server, and registries.", ""),
            new("fleet", FleetForm, "The fleet that it joins.", ""),
            new("k3s", KubernetesForm, "The cluster.", ""),
            new("setupCode", new TextShape("8 letters and digits such as 7K3M-Q9VX", "[0-9A-Za-z]{4}-?[0-9A-Za-z]{4}"), "The code by which somebody becomes the owner, instead of one of the device's making; it counts while there is no password.", ""),
        ],
        bag => new ProvisionFile
        {
            Hostname = bag.Get<string?>("hostname", null),
            TimeZone = bag.Get<string?>("timeZone", null),
            Network = bag.Get<IReadOnlyList<ProvisionedNetwork>?>("network", null),
            Wifi = bag.Get<IReadOnlyList<ProvisionedWifi>?>("wifi", null),
            SshKeys = SshKeysOf(bag),
            Proxy = bag.Get<ProvisionedProxy?>("proxy", null),
            Fleet = bag.Get<ProvisionedFleet?>("fleet", null),
            Kubernetes = bag.Get<ProvisionedKubernetes?>("k3s", null),
            SetupCode = bag.Get<string?>("setupCode", null)?.Replace("-", "", StringComparison.Ordinal).ToUpperInvariant(),
        });

    /// <summary>Host name, or null.</summary>
    public string? Hostname { get; init; }

    /// <summary>IANA time zone, or null.</summary>
    public string? TimeZone { get; init; }

    /// <summary>Network cards, none to take back what an earlier file said; null where the file does not name them.</summary>
    public IReadOnlyList<ProvisionedNetwork>? Network { get; init; }

    /// <summary>Wireless networks, none to take back what an earlier file said; null where the file does not name them.</summary>
    public IReadOnlyList<ProvisionedWifi>? Wifi { get; init; }

    /// <summary>SSH keys beside those of the image, none to take back what an earlier file said; null where the file does not name them.</summary>
    public IReadOnlyList<AuthorizedUser>? SshKeys { get; init; }

    /// <summary>The proxy, or null.</summary>
    public ProvisionedProxy? Proxy { get; init; }

    /// <summary>The fleet, or null.</summary>
    public ProvisionedFleet? Fleet { get; init; }

    /// <summary>The cluster, or null.</summary>
    public ProvisionedKubernetes? Kubernetes { get; init; }

    /// <summary>The setup code, eight letters and digits, or null.</summary>
    public string? SetupCode { get; init; }

    /// <summary>The file's text, by what its byte order mark says; without one it is UTF-8.</summary>
    public static string TextOf(byte[] content)
    {
        using var reader = new StreamReader(new MemoryStream(content));
        return reader.ReadToEnd();
    }

    /// <summary>Reads the file.</summary>
    /// <param name="name">What errors call it.</param>
    /// <param name="text">Its content.</param>
    /// <exception cref="UserError">It is none; place and remedy are named, and nothing that stands in it: what is in the wrong place may be a secret.</exception>
    public static ProvisionFile Parse(string name, string text) => (ProvisionFile)Form.Parse(name, text, hidesValues: true);

    private static IReadOnlyList<AuthorizedUser>? SshKeysOf(Bag bag)
    {
        var users = bag.Get<IReadOnlyList<AuthorizedUser>?>("sshKeys", null) ?? [];
        for (var i = 1; i < users.Count; i++)
            if (users.Take(i).Any(user => user.Name == users[i].Name)) throw bag.ErrorAt("sshKeys", i, "this user stands in the list already; name all their keys in one place");
        return bag.Has("sshKeys") ? users : null;
    }

    /// <summary>
    /// The address that a text is, for networkd (inet_pton), which takes less than .NET does: four decimal numbers without leading zeros, or
    /// hexadecimal groups without brackets, port and scope. Null for another text.
    /// </summary>
    private static IPAddress? AddressOf(string text) =>
        IPAddress.TryParse(text, out var address) && (address.AddressFamily == AddressFamily.InterNetwork ? address.ToString() == text : text.All(letter => char.IsAsciiHexDigit(letter) || letter is ':' or '.')) ? address : null;

    private static string? AddressWithPrefix(string text) =>
        text.Split('/') is [var address, var bits] && AddressOf(address) is { } parsed && int.TryParse(bits, NumberStyles.None, CultureInfo.InvariantCulture, out var prefix) && prefix <= parsed.GetAddressBytes().Length * 8 ? $"{parsed}/{prefix}" : null;
}

/// <summary>A network card.</summary>
/// <param name="Interface">Its name, or a pattern.</param>
/// <param name="Addresses">Its addresses with the length of their prefix; none for one that asks.</param>
/// <param name="Gateway">Way to other networks, or null.</param>
/// <param name="Dns">Who knows names.</param>
public sealed record ProvisionedNetwork(string Interface, IReadOnlyList<string> Addresses, string? Gateway, IReadOnlyList<string> Dns);

/// <summary>A wireless network.</summary>
/// <param name="Ssid">Its name.</param>
/// <param name="Passphrase">Its passphrase; null for an open one.</param>
/// <param name="IsHidden">Whether it does not say its name.</param>
public sealed record ProvisionedWifi(string Ssid, string? Passphrase, bool IsHidden);

/// <summary>A proxy.</summary>
/// <param name="Url">Its address; null for none.</param>
/// <param name="Except">Hosts that are reached without it.</param>
public sealed record ProvisionedProxy(string? Url, IReadOnlyList<string> Except);

/// <summary>A fleet that the device joins.</summary>
/// <param name="EnrolmentToken">Token by which its server lets devices in.</param>
/// <param name="Server">The server; null for the image's.</param>
/// <param name="Tenant">The tenant; null for the image's.</param>
/// <param name="Trust">Certificates (PEM) that the server is trusted by; null for the image's.</param>
public sealed record ProvisionedFleet(string EnrolmentToken, string? Server, string? Tenant, string? Trust);

/// <summary>A cluster.</summary>
/// <param name="IsAgent">Whether the node has no control plane.</param>
/// <param name="Server">A server of the cluster that it joins; null for one of its own.</param>
/// <param name="Token">What nodes join by, or null for one of the node's making.</param>
public sealed record ProvisionedKubernetes(bool IsAgent, string? Server, string? Token);

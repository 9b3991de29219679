using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Core.Provisioning;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Appliance.Supervisor.Fleet;
using Appliance.Supervisor.Updates;

namespace Appliance.Supervisor.Provisioning;

/// <summary>
/// Puts into place what a device was told on its disk: each setting is a file that takes its place at once, and all of them come out the
/// same when the power goes and it is done again. What only the supervisor can do is left to it in a file of its own.
/// </summary>
/// <param name="root">Root of the files.</param>
internal sealed class Provisioner(string root)
{
    /// <summary>Settings that the image's units and its initrd look for.</summary>
    public const string SettingsFolder = "/var/lib/appliance/settings";

    /// <summary>SHA-256 of a file that was taken and is not erased yet.</summary>
    private const string TakenPath = $"{SettingsFolder}/provision-taken";

    private const string NetworkFolder = "/etc/systemd/network", NetworkPrefix = "10-provision-", KubernetesFolder = "/etc/rancher/k3s", WifiFolder = "/var/lib/iwd", WifiNetwork = $"{NetworkFolder}/20-provision-wifi.network", SupervisorUser = "appliance";

    private static readonly FileStatus Secret = new(0, 0, UnixFileMode.UserRead | UnixFileMode.UserWrite);

    /// <summary>The machine's networks, and those of a cluster by k3s' defaults.</summary>
    private static readonly string[] NeverByProxy = ["localhost", "127.0.0.1", "::1", ".svc", ".cluster.local", "10.42.0.0/16", "10.43.0.0/16"];

    /// <summary>For tests: called before every change of the disk.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>Does it.</summary>
    /// <returns>What was done, for people; none of it is secret.</returns>
    /// <exception cref="UserError">This image cannot do what is wanted; nothing was changed.</exception>
    public IReadOnlyList<string> Apply(ProvisionFile file)
    {
        var pending = PendingOf(file);
        Require(file);
        var done = new List<string>();
        if (file.Hostname is { } hostname) Do($"host name {hostname}", () => SetHostname(hostname));
        if (file.TimeZone is { } zone) Do($"time zone {zone}", () => SetTimeZone(zone));
        if (file.Network is { } cards) Do($"network of {Names(cards.Select(card => card.Interface))}", () => SetNetwork(cards));
        if (file.Wifi is { } networks) Do($"{networks.Count} wireless networks", () => SetWifi(networks));
        if (file.SshKeys is { } users) Do($"SSH keys of {Names(users.Select(user => user.Name))}", () => SetSshKeys(users));
        if (file.Proxy is { } proxy) Do(proxy.Url is null ? "no proxy" : "proxy", () => SetProxy(proxy));
        if (file.Kubernetes is { } kubernetes) Do($"k3s {(kubernetes.IsAgent ? "agent" : "server")}{(kubernetes.Server is { } server ? $" of {server}" : "")}", () => SetKubernetes(kubernetes));
        if (pending is not null) Do(string.Join(", ", new[] { file.SetupCode is null ? null : "setup code", file.Fleet is null ? null : "fleet" }.OfType<string>()), () => SetPending(pending));
        return done;

        static string Names(IEnumerable<string> names) => string.Join(", ", names.DefaultIfEmpty("none"));

        void Do(string what, Action action)
        {
            action();
            done.Add(what);
        }
    }

    /// <summary>Whether the version that runs is on trial. A record that cannot be used is the supervisor's to report.</summary>
    public bool IsOnTrial
    {
        get
        {
            try
            {
                return TrialRecord.TryRead(In(TrialRecord.DefaultPath))?.IsOf(ImageIdentity.Read(root).Version, DeviceBoot.ReadBootId(root)) ?? false;
            }
            catch (InvalidDataException)
            {
                return false;
            }
        }
    }

    /// <summary>Whether a file is the one that was taken last, and could not be erased since.</summary>
    public bool HasTaken(ReadOnlySpan<byte> content) => DurableFile.Holds(In(TakenPath), Encoding.UTF8.GetBytes(DigestOf(content)));

    /// <summary>A file was taken: from now on it need only be erased.</summary>
    public void Remember(ReadOnlySpan<byte> content) => Write(TakenPath, DigestOf(content), Secret.Mode);

    /// <summary>The file that was taken is erased: the same one counts again.</summary>
    public void Forget() => Delete(In(TakenPath));

    private static string DigestOf(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private void Require(ProvisionFile file)
    {
        var persisted = File.Exists(In("/usr/lib/appliance/persist")) ? File.ReadAllLines(In("/usr/lib/appliance/persist")) : [];
        if (file.Hostname is not null) RequirePersisted("hostname", "/etc/hostname");
        if (file.Network is { Count: > 0 }) RequirePersisted("network", NetworkFolder);
        if (file.Wifi is { Count: > 0 })
        {
            RequirePersisted("wifi", NetworkFolder);
            if (!File.Exists(In("/usr/libexec/iwd"))) throw new UserError("wifi: this image has no iwd.", "packages.add: [iwd] and services.enable: [iwd.service] in its definition.");
        }
        if (file.TimeZone is { } zone && !File.Exists(In($"/usr/share/zoneinfo/{zone}"))) throw new UserError($"timeZone: there is no time zone {zone}.", "Names are those of the IANA, such as Europe/Berlin.");
        if (file.SshKeys is { Count: > 0 } users)
        {
            if (!File.Exists(In("/etc/ssh/sshd_config.d/10-appliance.conf"))) throw new UserError("sshKeys: this image has no SSH server.", "A user with a key brings it in (users), or credentials.sshSigners.");
            if (users.FirstOrDefault(user => Accounts.Find(root, user.Name) is null) is { } unknown) throw new UserError($"sshKeys: this image has no user {unknown.Name}.", "Users come with the image (users).");
        }
        if (file.Kubernetes is not null)
        {
            if (ImageIdentity.Read(root).WorkloadsEngine != "k3s") throw new UserError("k3s: this image has another engine of workloads, or none.", "workloads.engine: k3s in its definition.");
            RequirePersisted("k3s", "/etc/rancher");
        }
        if (file.Fleet is { Server: null } && ImageSettings.ReadFleet(root).Server is null) throw new UserError("fleet: neither the file nor the image names a server.", "server: https://… beside the token.");

        void RequirePersisted(string key, string path)
        {
            if (!persisted.Contains(path)) throw new UserError($"{key}: this image keeps nothing of {path}.", $"persist: [{path}] in its definition.");
        }
    }

    private static PendingSetup? PendingOf(ProvisionFile file)
    {
        if (file is { Fleet: null, SetupCode: null }) return null;
        var pending = new PendingSetup { SetupCode = file.SetupCode, EnrolmentToken = file.Fleet?.EnrolmentToken, Server = file.Fleet?.Server, Tenant = file.Fleet?.Tenant, Trust = file.Fleet?.Trust };
        pending.Join?.ToMembership(); // what makes no sense is known before anything is written
        return pending;
    }

    /// <summary>The file is bound over /etc/hostname as it was at the start, so the running system is told, too.</summary>
    private void SetHostname(string name)
    {
        Write("/var/lib/appliance/etc/hostname", name + "\n", DurableFile.Readable);
        File.WriteAllText(In("/proc/sys/kernel/hostname"), name);
    }

    private void SetTimeZone(string zone)
    {
        Write($"{SettingsFolder}/timezone", zone + "\n", DurableFile.Readable);
        // As the initrd does at the next start.
        var (place, next) = (In("/run/appliance/localtime"), In("/run/appliance/.localtime"));
        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        File.Delete(next);
        File.CreateSymbolicLink(next, $"/usr/share/zoneinfo/{zone}");
        File.Move(next, place, overwrite: true);
    }

    private void SetNetwork(IReadOnlyList<ProvisionedNetwork> cards)
    {
        foreach (var (card, number) in cards.Select((card, number) => (card, number))) Write($"{NetworkFolder}/{NetworkPrefix}{number}.network", NetworkOf(card), DurableFile.Readable);
        foreach (var other in FilesOf(NetworkFolder, $"{NetworkPrefix}*.network").Where(file => !(int.TryParse(Path.GetFileNameWithoutExtension(file)[NetworkPrefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < cards.Count))) Delete(other);
    }

    private static string NetworkOf(ProvisionedNetwork card)
    {
        var text = new StringBuilder($"# From {ProvisionFile.Name}.\n[Match]\nName={card.Interface}\n\n[Network]\nLLMNR=no\nMulticastDNS=yes\n");
        if (card.Addresses.Count == 0) text.Append("DHCP=yes\n");
        foreach (var address in card.Addresses) text.Append(CultureInfo.InvariantCulture, $"Address={address}\n");
        if (card.Gateway is { } gateway) text.Append(CultureInfo.InvariantCulture, $"Gateway={gateway}\n");
        foreach (var server in card.Dns) text.Append(CultureInfo.InvariantCulture, $"DNS={server}\n");
        return card.Addresses.Count > 0 ? text.ToString() : text.Append("\n[DHCPv4]\nUseHostname=no\n").ToString();
    }

    private void SetWifi(IReadOnlyList<ProvisionedWifi> networks)
    {
        // Other networks there are somebody else's. What is about to be written is on the list before it is there.
        const string list = $"{SettingsFolder}/wifi";
        HashSet<string> written = File.Exists(In(list)) ? [.. File.ReadAllLines(In(list))] : [];
        var named = networks.Select(ProfileOf).ToHashSet();
        if (!named.IsSubsetOf(written)) Write(list, Lines(written.Union(named)), Secret.Mode);
        foreach (var profile in written.Except(named)) Delete(In($"{WifiFolder}/{profile}"));
        DurableFile.CreateFolder(In(WifiFolder), FolderMode.Private);
        foreach (var network in networks)
        {
            Delete(In($"{WifiFolder}/{ProfileOf(network with { Passphrase = network.Passphrase is null ? "" : null })}")); // the same network in its other form
            var text = (network.IsHidden ? "[Settings]\nHidden=true\n" : "") + (network.Passphrase is { } passphrase ? $"[Security]\nPassphrase={Escaped(passphrase)}\n" : "");
            Write($"{WifiFolder}/{ProfileOf(network)}", text, Secret.Mode);
        }
        if (networks.Count > 0) Write(WifiNetwork, $"# From {ProvisionFile.Name}.\n[Match]\nType=wlan\n\n[Network]\nDHCP=yes\nLLMNR=no\nMulticastDNS=yes\nIgnoreCarrierLoss=3s\n\n[DHCPv4]\nUseHostname=no\n", DurableFile.Readable);
        else Delete(In(WifiNetwork));
        if (networks.Count > 0) Write(list, Lines(named), Secret.Mode);
        else Delete(In(list));

        static string Lines(IEnumerable<string> lines) => string.Concat(lines.Select(line => line + "\n"));
    }

    private static string ProfileOf(ProvisionedWifi network) => $"{FileNameOf(network.Ssid)}.{(network.Passphrase is null ? "open" : "psk")}";

    /// <summary>iwd.network(5): a name of other characters is written in hexadecimal.</summary>
    private static string FileNameOf(string ssid) =>
        ssid.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is ' ' or '-' or '_') ? ssid : $"={Convert.ToHexStringLower(Encoding.UTF8.GetBytes(ssid))}";

    /// <summary>iwd.network(5), after its settings format: a backslash is doubled, and a space at the beginning is written as <c>\s</c>.</summary>
    private static string Escaped(string value)
    {
        var escaped = value.Replace("\\", "\\\\", StringComparison.Ordinal);
        return escaped.StartsWith(' ') ? $"\\s{escaped[1..]}" : escaped;
    }

    private void SetSshKeys(IReadOnlyList<AuthorizedUser> users)
    {
        const string Folder = "/var/lib/appliance/ssh-provisioned";
        DurableFile.CreateFolder(In(Folder), FolderMode.Open);
        foreach (var user in users) Write($"{Folder}/{user.Name}", user.ToFile(), DurableFile.Readable);
        foreach (var other in Directory.GetFiles(In(Folder)).Where(path => !users.Any(user => user.Name == Path.GetFileName(path)))) Delete(other);
    }

    private void SetProxy(ProvisionedProxy proxy)
    {
        const string path = $"{SettingsFolder}/proxy.env";
        if (proxy.Url is { } url) Write(path, ProxyOf(url, proxy.Except), Secret.Mode);
        else Delete(In(path));
    }

    private static string ProxyOf(string url, IReadOnlyList<string> excepted)
    {
        var except = string.Join(',', NeverByProxy.Concat(excepted));
        return string.Concat(new[] { ("http_proxy", url), ("https_proxy", url), ("no_proxy", except) }.Select(pair => $"{pair.Item1}={pair.Item2}\n{pair.Item1.ToUpperInvariant()}={pair.Item2}\n"));
    }

    private void SetKubernetes(ProvisionedKubernetes node)
    {
        var settings = new StringBuilder($"# From {ProvisionFile.Name}.\n");
        if (node.Server is { } server) settings.Append(CultureInfo.InvariantCulture, $"server: \"{server}\"\n");
        if (node.Token is { } token) settings.Append(CultureInfo.InvariantCulture, $"token: \"{JsonEncodedText.Encode(token)}\"\n");
        DurableFile.CreateFolder(In($"{KubernetesFolder}/config.yaml.d"), FolderMode.Open);
        Write($"{KubernetesFolder}/config.yaml.d/80-provision.yaml", settings.ToString(), Secret.Mode);
        // Which of k3s' two units is the node's.
        if (node.IsAgent) Write(KubernetesOptions.AgentMark, "", DurableFile.Readable);
        else Delete(In(KubernetesOptions.AgentMark));
    }

    private void SetPending(PendingSetup pending)
    {
        var (user, group) = Accounts.Find(root, SupervisorUser) ?? throw new UserError($"This image has no user {SupervisorUser}.");
        var path = In($"/var/lib/appliance/supervisor/{PendingSetup.FileName}");
        OnStep?.Invoke($"before {path}");
        DurableFile.RemoveLeftovers(path);
        DurableFile.Write(path, pending.ToJson(), Secret with { User = user, Group = group });
    }

    private string[] FilesOf(string folder, string pattern) => Directory.Exists(In(folder)) ? Directory.GetFiles(In(folder), pattern) : [];

    private string In(string path) => Path.Join(root, path);

    private void Write(string path, string content, UnixFileMode mode)
    {
        OnStep?.Invoke($"before {path}");
        DurableFile.CreateFolder(In(Path.GetDirectoryName(path)!), FolderMode.Open);
        DurableFile.RemoveLeftovers(In(path));
        DurableFile.Write(In(path), Encoding.UTF8.GetBytes(content), mode);
    }

    private void Delete(string path)
    {
        OnStep?.Invoke($"before {path} is gone");
        if (Directory.Exists(Path.GetDirectoryName(path))) DurableFile.RemoveLeftovers(path);
        DurableFile.Delete(path);
    }
}

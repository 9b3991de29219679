using System.Text;
using System.Text.Json;
using Appliance.Core;
using Appliance.Core.Access;
using Appliance.Core.Credentials;
using Appliance.Core.Fleet;
using Appliance.Core.Health;
using Appliance.Core.Images;
using Appliance.Core.Telemetry;
using Appliance.Core.Updates;
using Appliance.Core.Workloads;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Disk;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>What is laid over the base tree to make it this image's root: overlays, components, and the files the definition stands for.</summary>
internal sealed class RootContent(ImageDefinition definition, WorkloadChoice workloads, string supervisorBinary, string releases, string baseTree, string libraryFolder)
{
    /// <summary>Packages that only building needs: dracut and its tools, and without <c>packages.keepManager</c> the package manager.</summary>
    private static readonly string[] InitrdTools = ["dracut", "dracut-core", "dracut-install", "cpio", "xz-utils", "pigz"];

    private static readonly string[] PackageManager =
        ["apt", "dpkg", "debconf", "perl-base", "adduser", "debian-archive-keyring", "sqv", "gpgv", "libapt-pkg7.0", "init-system-helpers", "ucf", "sensible-utils", "debianutils"];


    /// <summary>Packages that follow from other settings.</summary>
    public static IEnumerable<string> ImpliedPackages(ImageDefinition definition)
    {
        if (HasSsh(definition)) yield return "openssh-server";
        if (definition.Locale is not ("C" or "C.UTF-8" or "POSIX")) yield return "locales";
    }

    /// <summary>Adds everything the root depends on to a stage's key.</summary>
    public void AddTo(StageKey key)
    {
        foreach (var overlay in Overlays()) key.AddTree("overlay", overlay);
        foreach (var file in GeneratedFiles()) key.Add(file.Target, file.Content).Add("mode", file.Mode);
        foreach (var component in workloads.Components) key.Add(component.Pin.InstallPath, component.Pin.Sha256).Add("executable", component.Pin.Executable.ToString());
        foreach (var user in definition.Users) key.Add($"password {user.Name}", user.PasswordHash);
        key.Add("build only", BuildOnly()).Add("remove", Removed()).Add("enable", Enabled()).Add("disable", definition.ServicesDisable)
            .Add("locale", definition.Locale).Add("time zone", definition.TimeZone);
    }

    /// <summary>Writes the generated files and returns the variables of <c>overlays.sh</c>.</summary>
    public Dictionary<string, string?> WriteTo(string folder)
    {
        var passwords = Directory.CreateDirectory(Path.Combine(folder, "passwords")).FullName;
        foreach (var user in definition.Users.Where(user => user.PasswordHash is not null))
            File.WriteAllText(Path.Combine(passwords, user.Name), user.PasswordHash);

        var files = new List<string> { $"{supervisorBinary}\t/usr/lib/appliance/appliance-supervisor\t0755" };
        foreach (var component in workloads.Components)
            files.Add($"{component.File}\t{component.Pin.InstallPath}\t{(component.Pin.Executable ? "0755" : "0644")}");
        foreach (var release in Directory.EnumerateDirectories(releases).Order(StringComparer.Ordinal))
            files.Add($"{Path.Combine(release, WorkloadRelease.PayloadName)}\t{WorkloadRelease.ImageFolder}/{Path.GetFileName(release)}/{WorkloadRelease.PayloadName}\t0644");
        var number = 0;
        foreach (var file in GeneratedFiles())
        {
            var source = Path.Combine(folder, file.Target == OsReleasePath ? "os-release" : $"file-{number++}");
            File.WriteAllText(source, file.Content);
            File.SetUnixFileMode(source, DurableFile.Readable);
            files.Add($"{source}\t{file.Target}\t{file.Mode}");
        }

        return new Dictionary<string, string?>
        {
            ["OVERLAYS"] = string.Join('\n', Overlays()),
            ["FILES"] = string.Join('\n', files),
            ["BUILD_ONLY"] = string.Join('\n', BuildOnly()),
            ["REMOVE"] = string.Join('\n', Removed()),
            ["ENABLE"] = string.Join('\n', Enabled()),
            ["DISABLE"] = string.Join('\n', definition.ServicesDisable),
            ["USERS"] = passwords,
            ["LOCALE"] = definition.Locale,
            ["TIME_ZONE"] = definition.TimeZone,
            ["KEEP_PACKAGE_MANAGER"] = definition.KeepPackageManager ? "yes" : "no",
        };
    }

    private const string OsReleasePath = "/usr/lib/os-release";

    private IEnumerable<string> Overlays()
    {
        return [.. workloads.Engine?.Overlays ?? [], .. HasSsh(definition) ? [Path.Combine(libraryFolder, "overlays", "ssh")] : Array.Empty<string>(), .. definition.Overlays];
    }

    /// <summary>Whether somebody may log in over SSH, now or when a list of keys is brought.</summary>
    private static bool HasSsh(ImageDefinition definition) => definition.Users.Any(user => user.SshKeys.Count > 0) || definition.Credentials is { SshSigners.Count: > 0 };

    private string[] BuildOnly() => definition.KeepPackageManager ? InitrdTools : [.. InitrdTools, .. PackageManager];

    private IEnumerable<string> Removed() => definition.PackagesRemove.Where(name => !IsOwnChoice(name));

    /// <summary>A package that only the lists name is simply not installed; one that others pull in is taken away afterwards.</summary>
    private bool IsOwnChoice(string name) =>
        (definition.Board.Packages.Contains(name) || (workloads.Engine?.Packages.Contains(name) ?? false)) && !IsInstalled(name);

    private bool IsInstalled(string name)
    {
        var info = Path.Combine(baseTree, "var/lib/dpkg/info");
        return File.Exists(Path.Combine(info, $"{name}.list")) || Directory.EnumerateFiles(info, $"{name}:*.list").Any();
    }

    private IEnumerable<string> Enabled() => (workloads.Engine?.ServicesEnable ?? []).Concat(definition.ServicesEnable).Distinct();

    private IEnumerable<GeneratedFile> GeneratedFiles()
    {
        yield return new(OsReleasePath, OsRelease());
        yield return new("/usr/lib/clock-epoch", "");
        yield return new($"{HealthDeclarations.ImageFolder}/50-image.yaml", HealthYaml.Write(definition.Health));
        yield return new("/usr/lib/appliance/persist", string.Concat(PersistedEtc().Select(path => path + "\n")));
        yield return new(StatePaths.ListPath, string.Concat(StatePaths.Outermost([.. definition.State, .. workloads.Engine?.State ?? []]).Select(path => path + "\n")));
        yield return new("/usr/lib/repart.d/50-data.conf", $"# Grows the data partition to the end of the disk at first boot.\n[Partition]\nType=linux-generic\nLabel={DiskLayout.DataLabel(definition)}\n");
        yield return new("/etc/fstab", $"PARTLABEL={DiskLayout.DataLabel(definition)} /var ext4 noatime,errors=remount-ro,x-initrd.mount,x-systemd.growfs 0 2\n");
        yield return new("/etc/hostname", $"{definition.Hostname}\n");
        yield return new("/etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
        yield return new("/etc/locale.conf", $"LANG={definition.Locale}\n");
        if (definition.Updates is { } updates)
        {
            yield return new(UpdateSettings.SettingsPath, JsonSerializer.Serialize(updates.Settings, ImageSettingsJson.Default.UpdateSettings) + "\n");
            if (updates.TrustedRoot is { } trusted) yield return new(UpdateSettings.TrustedRootPath, trusted);
        }
        if (definition.Workloads.Signatures is { Count: > 0 } rules) yield return new(SignaturePolicy.SettingsPath, JsonSerializer.Serialize(new SignaturePolicy { Rules = rules }, ImageSettingsJson.Default.SignaturePolicy) + "\n");
        if (definition.ClientAuthority is { } authority) yield return new(ClientAuthority.FilePath, authority);
        if (definition.Listen is { } listen) yield return new(AccessSettings.SettingsPath, JsonSerializer.Serialize(new AccessSettings { Listen = listen }, ImageSettingsJson.Default.AccessSettings) + "\n");
        if (definition.Telemetry is { } telemetry) yield return new(TelemetrySettings.SettingsPath, JsonSerializer.Serialize(telemetry, ImageSettingsJson.Default.TelemetrySettings) + "\n");
        if (definition.Fleet is { } fleet)
        {
            yield return new(FleetSettings.SettingsPath, JsonSerializer.Serialize(fleet.Settings, ImageSettingsJson.Default.FleetSettings) + "\n");
            if (fleet.Trust is { } trust) yield return new(FleetSettings.TrustPath, trust);
        }
        if (definition.Credentials is { } credentials) yield return new(CredentialSettings.SettingsPath, JsonSerializer.Serialize(credentials, ImageSettingsJson.Default.CredentialSettings) + "\n");
        if (definition.Users.Count == 0) yield break;
        yield return new("/usr/lib/sysusers.d/appliance-users.conf", Sysusers());
        yield return new("/usr/lib/tmpfiles.d/appliance-users.conf", string.Concat(definition.Users.Select(user => $"d /var/home/{user.Name} 0700 {user.Name} {user.Name} -\n").Prepend("d /var/home 0755 root root -\n")));
        foreach (var user in definition.Users.Where(user => user.SshKeys.Count > 0))
            yield return new($"/etc/ssh/authorized_keys.d/{user.Name}", string.Concat(user.SshKeys.Select(key => key + "\n")));
    }

    private IEnumerable<string> PersistedEtc() => definition.PersistedEtc.Concat(workloads.Engine?.PersistedEtc ?? []).Distinct().Order(StringComparer.Ordinal);

    private string OsRelease()
    {
        var lines = File.ReadLines(Path.Combine(baseTree, "usr/lib/os-release")).Where(line => !line.StartsWith("IMAGE_", StringComparison.Ordinal));
        return string.Concat(lines.Select(line => line + "\n"))
            + $"IMAGE_ID=\"{definition.Id}\"\nIMAGE_VERSION=\"{definition.Version}\"\n"
            + $"APPLIANCE_BOARD=\"{definition.Board.Name}\"\nAPPLIANCE_WORKLOADS=\"{workloads.Engine?.Name ?? "none"}\"\n"
            + (workloads.FallbackReason is null ? "" : $"APPLIANCE_WORKLOADS_FALLBACK_FOR=\"{definition.Workloads.Engine!.Name}\"\n");
    }

    private string Sysusers()
    {
        var text = new StringBuilder();
        var uid = 1000;
        foreach (var user in definition.Users)
        {
            text.Append($"u {user.Name} {uid++} \"{user.Name}\" /var/home/{user.Name} /bin/bash\n");
            foreach (var group in user.Groups) text.Append($"m {user.Name} {group}\n");
        }
        return text.ToString();
    }

    private sealed record GeneratedFile(string Target, string Content, string Mode = "0644");
}

using System.Formats.Tar;
using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Containers;

/// <summary>The .NET SDK of this machine, which the builder image gets too, since Debian has none: its newest version 10 alone.</summary>
/// <param name="Folder">The folder of the command <c>dotnet</c>.</param>
/// <param name="Version">The SDK's version.</param>
internal sealed partial record LinuxSdk(string Folder, string Version)
{
    private const string Target = "usr/share/dotnet";
    private const int Major = 10;

    // Of these there may be several versions side by side; each has one folder.
    private static readonly string[] Versioned = ["sdk", "sdk-manifests", "shared/Microsoft.NETCore.App", "shared/Microsoft.AspNetCore.App", "host/fxr", "packs/Microsoft.NETCore.App.Ref", "packs/Microsoft.AspNetCore.App.Ref"];
    private static readonly string[] NotNeeded = ["templates"];

    /// <summary>Finds it.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public static async Task<LinuxSdk> FindAsync(CancellationToken cancellationToken)
    {
        var lines = new List<string>();
        await ToolRunner.RunAsync("dotnet", ["--list-sdks"], onOutput: lines.Add, cancellationToken: cancellationToken);
        return lines.Select(line => Line().Match(line)).LastOrDefault(match => match.Success && match.Groups["version"].Value.StartsWith($"{Major}.", StringComparison.Ordinal)) is { } found
            ? new LinuxSdk(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(found.Groups["folder"].Value))!, found.Groups["version"].Value)
            : throw new UserError("The .NET 10 SDK, which the builder image gets from this machine, is missing.", "Install it (package dotnet-sdk-10.0, or the dotnet-install script).");
    }

    /// <summary>Writes it as a layer of an image.</summary>
    public async Task WriteLayerAsync(string path, Action<long> onBytes, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        await using var writer = new TarWriter(file, TarEntryFormat.Pax);
        await new SourceTree(Folder, Others(), GitModes.None).WriteAsync(writer, Target, onBytes, cancellationToken);
        await writer.WriteEntryAsync(new PaxTarEntry(TarEntryType.SymbolicLink, "usr/bin/dotnet") { LinkName = $"/{Target}/dotnet" }, cancellationToken);
    }

    /// <summary>The folders of other versions.</summary>
    private List<string> Others()
    {
        var left = NotNeeded.Select(name => Path.Combine(Folder, name)).ToList();
        foreach (var kind in Versioned.Select(name => Path.Combine(Folder, name)).Where(Directory.Exists))
        {
            var versions = Directory.GetDirectories(kind);
            var kept = kind.EndsWith("sdk", StringComparison.Ordinal) ? [Path.Combine(kind, Version)] : versions.Where(folder => Path.GetFileName(folder).StartsWith($"{Major}.", StringComparison.Ordinal)).ToArray();
            left.AddRange(versions.Except(kept));
        }
        return left;
    }

    [GeneratedRegex(@"^(?<version>\S+) \[(?<folder>.+)\]$")]
    private static partial Regex Line();
}

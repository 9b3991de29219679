using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.ImageBuilder.Definition;
using Appliance.ImageBuilder.Tools;

namespace Appliance.ImageBuilder.Pipeline;

/// <summary>Turns the failures a person can mend into one sentence and a way out; everything else stays what it is.</summary>
internal static partial class StageDiagnosis
{
    /// <summary>The error to show for a failed stage.</summary>
    public static Exception Explain(string stage, ToolFailure failure, ImageDefinition definition)
    {
        if (Explain(stage, definition.Suite, definition.Board.Architecture, failure) is { } mistake) return mistake;
        var tail = failure.Tail;
        if (Marked("NO-KERNEL", tail) is not null)
            return new UserError($"The packages of board {definition.Board.Name} bring no kernel: /boot/vmlinuz-* is missing.", "Add a linux-image package to the board's packages, or take it off packages.remove.", failure);
        if (Marked("SEVERAL-KERNELS:", tail) is { } kernels)
            return new UserError($"The packages bring more than one kernel:{kernels}", "Keep one linux-image package: use packages.remove for the others.", failure);
        if (Marked("NO-FIRMWARE", tail) is not null)
            return new UserError($"The packages of board {definition.Board.Name} bring no Raspberry Pi firmware: /usr/lib/raspi-firmware/start4.elf is missing.", "Add raspi-firmware to the board's packages, and non-free-firmware to its archiveAreas.", failure);
        if (Marked("NO-DEVICE-TREE:", tail) is { } kernel)
            return new UserError($"The kernel{kernel} brings no device tree of a Raspberry Pi 4.", "Use Debian's linux-image-arm64 in the board's packages.", failure);
        if (Marked("NO-STEPPING:", tail) is { } other)
            return new UserError($"The kernel{other} describes a Raspberry Pi 5 of the later stepping (D0) by more than other values, which an overlay cannot say.", "Take another kernel: the board's packages and backports.", failure);
        if (Marked("NO-BACKPORTS:", tail) is not null)
            return new UserError($"Board {definition.Board.Name} takes packages from {definition.Suite}-backports, and no source of packages holds {definition.Suite}, beside which they would be.", $"Give --mirror a URL, or a line `deb URL {definition.Suite} main`, of an archive that has {definition.Suite}-backports as well.", failure);
        if (Marked("NOT-INSTALLED:", tail) is { } name)
            return new UserError($"packages.remove names{name}, which is not in the image.", "Take it off the list.", failure);
        if (Marked("NO-UNIT:", tail) is { } unit)
            return new UserError($"services.enable names{unit}, which no package or overlay brings.", "Check the unit's name (with its ending, e.g. .service), or add the package that holds it.", failure);
        if (Marked("NO-TIME-ZONE:", tail) is { } zone)
            return new UserError($"There is no time zone{zone}.", "Use an IANA name such as Europe/Berlin.", failure);
        if (Marked("NO-LOCALE:", tail) is { } locale)
            return new UserError($"The locale{locale} cannot be made.", "Use a name such as de_DE.UTF-8 or C.UTF-8.", failure);
        return failure;
    }

    /// <summary>The error to show for a stage that takes packages from the archive, or null when nobody can mend it.</summary>
    public static UserError? Explain(string stage, string suite, string architecture, ToolFailure failure)
    {
        var tail = failure.Tail;
        if (tail.Contains("No space left on device", StringComparison.Ordinal))
            return new UserError($"The disk is full (stage {stage}).", "Free some space, or put the cache and the output elsewhere with --cache and --output.", failure);
        if (MissingPackage().Match(tail) is { Success: true } package)
            return new UserError($"Debian {suite} has no package {package.Groups["name"].Value} for {architecture}.", "Correct packages.add in the definition, or the board's or engine's list.", failure);
        if (Unreachable().IsMatch(tail))
            return new UserError($"The Debian archive cannot be reached (stage {stage}): {LastError(tail)}", "Check the network and the proxy settings (http_proxy), or name another archive with --mirror.", failure);
        return null;
    }

    private static string? Marked(string mark, string tail) =>
        tail.Split('\n').LastOrDefault(line => line.StartsWith(mark, StringComparison.Ordinal))?[mark.Length..];

    private static string LastError(string tail) =>
        tail.Split('\n').LastOrDefault(line => line.StartsWith("E: ", StringComparison.Ordinal) || line.StartsWith("W: ", StringComparison.Ordinal))?[3..] ?? "see the log";

    [GeneratedRegex(@"(Unable to locate package|Couldn't find any package by \S+) '?(?<name>[a-z0-9][a-z0-9+.\-]*)|Package '?(?<name>[a-z0-9][a-z0-9+.\-]*)'? has no installation candidate")]
    private static partial Regex MissingPackage();

    [GeneratedRegex("Could not resolve|Temporary failure resolving|Could not connect|Connection (refused|timed out|failed)|Network is unreachable|Failed to fetch|does not have a Release file|No route to host")]
    private static partial Regex Unreachable();
}

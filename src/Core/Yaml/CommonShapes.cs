using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Appliance.Core.Yaml;

/// <summary>Shapes that several kinds of file have in common.</summary>
internal static class CommonShapes
{
    public static readonly Shape Unit = new TextShape("a systemd unit such as ssh.service", @"[A-Za-z0-9:_.@\\-]+\.(service|socket|timer|target|path|mount|automount|slice|swap)", longest: 255);

    /// <summary>A moment, in UTC.</summary>
    public static readonly Shape Date = new ValueShape(
        "a date such as 2026-11-01, or an instant such as 2026-11-01T12:00:00Z",
        text => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var date) && date.Year is >= 2020 and < 2100 ? date : null,
        () => new JsonObject { ["type"] = "string", ["pattern"] = "^20[0-9]{2}-[0-9]{2}-[0-9]{2}" });

    /// <summary>The name of a machine, without a domain.</summary>
    public static readonly Shape HostName = new TextShape("a host name", "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");

    /// <summary>A time zone's name; whether there is such a one, the image says.</summary>
    public static readonly Shape TimeZone = new TextShape("an IANA time zone such as Europe/Berlin", @"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", longest: 64);

    /// <summary>The address of a fleet's server.</summary>
    public static readonly Shape FleetServer = new TextShape("an http or https URL such as https://fleet.example.net:8443", @"https?://[!-~]+", WebAddress.IsBase);

    /// <summary>A tenant on a fleet's server.</summary>
    public static readonly Shape Tenant = new TextShape("the name of a tenant such as default", "[A-Za-z0-9][A-Za-z0-9._-]*", longest: 64);

    /// <summary>Somebody who may log in.</summary>
    public static readonly Shape LogInName = new TextShape("a login name other than root: lower-case letters, digits and dashes", "[a-z][a-z0-9_-]{0,30}", name => name != "root");

    /// <summary>Public keys of OpenSSH, without options.</summary>
    public static readonly Shape SshKeys = new ListShape<string>(
        new TextShape("a public key as in authorized_keys, e.g. ssh-ed25519 AAAA… name", @"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]+={0,2}( [^\x00-\x1f]*)?", IsSshKey, 8192), "a list of public keys");

    /// <summary>A time between two limits, in seconds, minutes or hours.</summary>
    public static Shape Duration(TimeSpan shortest, TimeSpan longest) => new ValueShape(
        $"a time of {shortest.TotalSeconds:0}s to {longest.TotalSeconds:0}s such as 10s, 5min or 1h",
        text => ParseDuration(text) is { } time && time >= shortest && time <= longest ? time : null,
        () => new JsonObject { ["type"] = "string", ["pattern"] = "^[0-9]+(s|min|h)$" });

    /// <summary>A whole number between two limits.</summary>
    public static Shape Number(int least, int most) => new ValueShape(
        $"a number of {least} to {most}",
        text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : null,
        () => new JsonObject { ["type"] = "integer", ["minimum"] = least, ["maximum"] = most });

    private static TimeSpan? ParseDuration(string text)
    {
        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        if (digits is 0 or > 6 || !int.TryParse(text.AsSpan(0, digits), CultureInfo.InvariantCulture, out var number)) return null;
        return text[digits..] switch
        {
            "s" => TimeSpan.FromSeconds(number),
            "min" => TimeSpan.FromMinutes(number),
            "h" => TimeSpan.FromHours(number),
            _ => null,
        };
    }

    /// <summary>The base64 part starts with the length-prefixed name of the key type (RFC 4253, section 6.6).</summary>
    private static bool IsSshKey(string text)
    {
        var parts = text.Split(' ', 3);
        var buffer = new byte[parts[1].Length];
        if (!Convert.TryFromBase64String(parts[1], buffer, out var length) || length < 4 + parts[0].Length + 16) return false;
        return buffer is [0, 0, 0, var size, ..] && size == parts[0].Length && Encoding.ASCII.GetString(buffer, 4, size) == parts[0];
    }
}

using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Rollouts;

/// <summary>
/// Which devices: terms that must all hold, such as <c>board=vm-x86_64 label.site=berlin|paris version!=1.2 id=edge-*</c>. A value may
/// have <c>*</c> for any characters and <c>|</c> between several; <c>id</c>, <c>name</c> and <c>health</c> are the device's own, everything
/// else is an attribute or a label. An empty text is every device.
/// </summary>
internal sealed partial class DeviceFilter
{
    private const int MostTerms = 20;
    private const string HealthKey = "health";
    private readonly List<(string Key, bool Not, string[] Values)> _terms = [];

    private DeviceFilter(string text) => Text = text;

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a filter.</summary>
    /// <exception cref="UserError">It makes no sense.</exception>
    public static DeviceFilter Parse(string text)
    {
        const string Hint = "Example: board=vm-x86_64 label.site=berlin|paris version!=1.2";
        if (text.Length > FleetContext.LongestText) throw new UserError($"A filter has at most {FleetContext.LongestText} characters.");
        var filter = new DeviceFilter(text);
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var match = Term().Match(word);
            if (!match.Success) throw new UserError($"\"{word}\" is no condition on devices.", Hint);
            if (match.Groups["key"].Value == HealthKey) _ = match.Groups["value"].Value.Split('|').Select(Health).ToArray();
            filter._terms.Add((match.Groups["key"].Value, match.Groups["not"].Success, match.Groups["value"].Value.Split('|')));
        }
        return filter._terms.Count <= MostTerms ? filter : throw new UserError($"A filter has at most {MostTerms} conditions.", Hint);
    }

    /// <summary>The devices of the fleet that it names.</summary>
    public IQueryable<Device> Apply(IQueryable<Device> devices) => _terms.Aggregate(devices.Where(device => device.State == DeviceState.Registered), (chosen, term) => Where(chosen, term.Key, term.Not, term.Values));

    private static IQueryable<Device> Where(IQueryable<Device> devices, string key, bool not, string[] values)
    {
        if (key == HealthKey)
        {
            var wanted = values.Select(Health).ToArray();
            return devices.Where(device => wanted.Contains(device.Health) != not);
        }
        // LIKE is slower than =.
        if (!Array.Exists(values, value => value.Contains('*', StringComparison.Ordinal))) return key switch
        {
            "id" => devices.Where(device => values.Contains(device.ControllerId) != not),
            "name" => devices.Where(device => values.Contains(device.Name) != not),
            _ => devices.Where(device => device.Attributes.Any(attribute => attribute.Key == key && values.Contains(attribute.Value)) != not),
        };
        var patterns = values.Select(value => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("%", "\\%", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal).Replace('*', '%')).ToArray();
        return key switch
        {
            "id" => devices.Where(device => patterns.Any(pattern => EF.Functions.Like(device.ControllerId, pattern, "\\")) != not),
            "name" => devices.Where(device => patterns.Any(pattern => EF.Functions.Like(device.Name, pattern, "\\")) != not),
            _ => devices.Where(device => device.Attributes.Any(attribute => attribute.Key == key && patterns.Any(pattern => EF.Functions.Like(attribute.Value, pattern, "\\"))) != not),
        };
    }

    private static DeviceHealth Health(string text) => text.All(char.IsAsciiLetter) && Enum.TryParse<DeviceHealth>(text, ignoreCase: true, out var health)
        ? health : throw new UserError($"\"{text}\" is no health of a device.", $"It is {string.Join(", ", Enum.GetNames<DeviceHealth>()).ToLowerInvariant()}.");

    [GeneratedRegex(@"^(?<key>[A-Za-z0-9._:-]{1,100})(?<not>!)?=(?<value>[^=\s]{1,500})$")]
    private static partial Regex Term();
}

using System.Text;

namespace Supervisor.Tests.Boot.Pi;

/// <summary>
/// Settings as the firmware reads them (Raspberry Pi documentation, config.txt): <c>NAME=VALUE</c> lines, a later one in place of an
/// earlier one, and sections that apply or do not. Sections of one kind replace each other, those of different kinds have to apply
/// together, and <c>[all]</c> ends all of them.
/// </summary>
internal sealed class PiSettings
{
    private const int LongestLine = 98;
    private static readonly string[] Models = ["pi0", "pi0w", "pi02", "pi1", "pi2", "pi3", "pi3+", "pi4", "pi400", "pi5", "pi500", "cm4", "cm4s", "cm5"];
    private readonly Dictionary<string, string> _values = [];

    private PiSettings()
    {
    }

    /// <summary>The initramfs, whose line has no <c>=</c>.</summary>
    public string? Initramfs { get; private set; }

    /// <summary>Reads a file.</summary>
    /// <param name="file">Its content; null for a file that is not there.</param>
    /// <param name="filters">Models it runs on.</param>
    /// <param name="tryboot">Whether the flag is set.</param>
    public static PiSettings Read(byte[]? file, string[] filters, bool tryboot)
    {
        var settings = new PiSettings();
        var applies = new Dictionary<string, bool>();
        foreach (var line in Encoding.ASCII.GetString(file ?? []).Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0 && line[0] != '#'))
        {
            Assert.InRange(line.Length, 1, LongestLine);
            if (line is ['[', .. var section, ']'])
            {
                if (section == "all") applies.Clear();
                else if (section == "none") applies["none"] = false;
                else if (section == "tryboot") applies["tryboot"] = tryboot;
                else if (Models.Contains(section)) applies["model"] = filters.Contains(section);
                else Assert.Fail($"the model of the firmware does not know [{section}]");
            }
            else if (applies.Values.All(value => value)) settings.Set(line);
        }
        return settings;
    }

    /// <summary>A value; null when none is given.</summary>
    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>A number; null when none is given.</summary>
    public int? Number(string name) => this[name] is { } text ? int.Parse(text) : null;

    private void Set(string line)
    {
        if (line.Split(' ') is ["initramfs", var name, "followkernel"]) Initramfs = name;
        else if (line.Split('=', 2) is [var key, var value]) _values[key] = value;
        else Assert.Fail($"the model of the firmware does not know the line {line}");
    }
}

using System.Text;

namespace Appliance.SystemTests;

/// <summary>Which driver of a kernel takes which device, as depmod wrote it down (modules.alias, modules.builtin.modinfo).</summary>
internal sealed class KernelDrivers
{
    private readonly ILookup<string, string> _modules;
    private readonly HashSet<string> _builtIn;

    /// <summary>Reads them from <c>/usr/lib/modules/VERSION</c>.</summary>
    public KernelDrivers(string folder)
    {
        _modules = File.ReadLines(Path.Combine(folder, "modules.alias")).Select(line => line.Split(' ')).Where(words => words is ["alias", _, _])
            .ToLookup(words => words[1], words => words[2]);
        _builtIn = Encoding.ASCII.GetString(File.ReadAllBytes(Path.Combine(folder, "modules.builtin.modinfo"))).Split('\0')
            .Select(entry => entry.Split(".alias=")).Where(parts => parts.Length == 2).Select(parts => parts[1]).ToHashSet();
    }

    /// <summary>The modules that take a device of this name.</summary>
    public IReadOnlyList<string> ModulesFor(string compatible) => Aliases(compatible).SelectMany(alias => _modules[alias]).Distinct().ToList();

    /// <summary>Whether the kernel itself says that it takes one. Not all of its drivers do: an interrupt controller's has no list.</summary>
    public bool IsBuiltIn(string compatible) => Aliases(compatible).Any(_builtIn.Contains);

    /// <summary>As the kernel asks udev for a driver: of:NnameTtypeCcompatible, or a PCI device's vendor and device.</summary>
    private static IEnumerable<string> Aliases(string compatible) =>
        compatible.StartsWith("pci", StringComparison.Ordinal) && compatible[3..].Split(',') is [var vendor, var device]
            ? [$"pci:v{vendor.ToUpperInvariant().PadLeft(8, '0')}d{device.ToUpperInvariant().PadLeft(8, '0')}sv*sd*bc*sc*i*"]
            : [$"of:N*T*C{compatible}", $"of:N*T*C{compatible}C*"];
}

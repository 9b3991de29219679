using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Boot;

/// <summary>
/// A unified kernel image on the ESP, <c>EFI/Linux/STEM[+LEFT[-DONE]].efi</c> (Boot Loader Specification, Automatic Boot
/// Assessment). The stem is the label of the slot it starts.
/// </summary>
internal sealed record BootEntry(string Path, string Stem, BootCount? Count)
{
    /// <summary>File name ending of boot entries.</summary>
    public const string Ending = ".efi";

    /// <summary>Takes a path apart.</summary>
    public static BootEntry Parse(string path)
    {
        var name = System.IO.Path.GetFileName(path);
        var count = BootCount.Parse(name);
        return new BootEntry(path, count is null ? System.IO.Path.GetFileNameWithoutExtension(name) : name[..name.LastIndexOf('+')], count);
    }

    /// <summary>The path it has with other tries; null for none counted.</summary>
    public string PathWith(BootCount? count) => System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path)!, NameOf(Stem, count));

    /// <summary>The file name of an entry.</summary>
    public static string NameOf(string stem, BootCount? count) =>
        count switch { null => stem, { Done: 0 } => $"{stem}+{count.Left}", _ => $"{stem}+{count.Left}-{count.Done}" } + Ending;

    /// <summary>True when this starts the slot with the label; FAT does not tell upper from lower case.</summary>
    public bool Starts(string label) => Stem.Equals(label, StringComparison.OrdinalIgnoreCase);
}

using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Appliance.Core;
using Serilog;

namespace Appliance.Supervisor.Device;

/// <summary>Reads what the daemon keeps on the disk as one file of JSON.</summary>
internal static class StateFile
{
    private const int LargestFile = 1 << 20;

    /// <summary>
    /// The file's content, or null without one. A file that this program cannot use (damaged, or of a later version that was rolled
    /// back) is put aside, and the caller starts with nothing: what boots depends on none of them.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="type">What is in it.</param>
    /// <param name="format">Gives the format that the file says it has.</param>
    /// <param name="known">The format this program knows.</param>
    public static T? Read<T>(string path, JsonTypeInfo<T> type, Func<T, int> format, int known) where T : class
    {
        try
        {
            if (!File.Exists(path)) return null;
            if (new FileInfo(path).Length > LargestFile) throw new InvalidDataException("it is too large");
            var content = JsonSerializer.Deserialize(File.ReadAllBytes(path), type) ?? throw new InvalidDataException("it is empty");
            return format(content) == known ? content : throw new InvalidDataException($"its format is {format(content)}, and this program knows {known}");
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            Log.Error("The file {Path} cannot be used and is put aside: {Reason}", path, e.Message);
            File.Move(path, path + ".unusable", overwrite: true);
            DurableFile.SyncFolder(Path.GetDirectoryName(path)!);
            return null;
        }
    }
}

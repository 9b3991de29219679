using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Appliance.Core;

/// <summary>A record on the disk: one JSON value, written with <see cref="DurableFile"/>.</summary>
public static class RecordFile
{
    /// <summary>Reads a record; null when there is none.</summary>
    /// <param name="path">The file.</param>
    /// <param name="type">The record's JSON form.</param>
    /// <param name="largest">Largest size in bytes.</param>
    /// <exception cref="InvalidDataException">There is a file and it is no such record.</exception>
    public static T? TryRead<T>(string path, JsonTypeInfo<T> type, int largest) where T : class
    {
        var file = new FileInfo(path);
        if (!file.Exists) return null;
        if (file.Length > largest) throw new InvalidDataException($"{path} is too large");
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), type) ?? throw new InvalidDataException($"{path} is empty");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is damaged: {e.Message}", e);
        }
    }
}

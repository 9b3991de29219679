using System.Text.Json;
using Appliance.Core;
using Serilog;

namespace Appliance.Supervisor.Updates;

/// <summary>Keeps the engine's state on the disk.</summary>
/// <param name="path">The file.</param>
internal sealed class UpdateStore(string path)
{
    /// <summary>Format of the file that this program writes.</summary>
    public const int CurrentFormat = 1;

    private const int LargestFile = 1 << 20;

    /// <summary>For tests: called before and after every write.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>
    /// Reads the state. A file that this program cannot use (damaged, or of a later version that was rolled back) is put aside
    /// and the engine starts with nothing: what boots does not depend on it.
    /// </summary>
    public UpdateState Read()
    {
        try
        {
            if (!File.Exists(path)) return new UpdateState();
            if (new FileInfo(path).Length > LargestFile) throw new InvalidDataException("it is too large");
            var state = JsonSerializer.Deserialize(File.ReadAllBytes(path), UpdateStateJson.Default.UpdateState);
            return state is { Format: CurrentFormat } ? state : throw new InvalidDataException($"its format is {state?.Format}, and this program knows {CurrentFormat}");
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            Log.Error("The record of updates {Path} cannot be used and is put aside: {Reason}", path, e.Message);
            File.Move(path, path + ".unusable", overwrite: true);
            DurableFile.SyncFolder(Path.GetDirectoryName(path)!);
            return new UpdateState();
        }
    }

    /// <summary>Writes the state; it is on the disk when this returns.</summary>
    public void Write(UpdateState state)
    {
        OnStep?.Invoke("before the state is written");
        DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(state, UpdateStateJson.Default.UpdateState));
        OnStep?.Invoke("after the state is written");
    }
}

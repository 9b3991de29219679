using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Updates;

/// <summary>Keeps the engine's state on the disk.</summary>
/// <param name="path">The file.</param>
internal sealed class UpdateStore(string path)
{
    /// <summary>Format of the file that this program writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>For tests: called before and after every write.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>Reads the state; nothing when there is none that can be used.</summary>
    public UpdateState Read() => StateFile.Read(path, UpdateStateJson.Default.UpdateState, state => state.Format, CurrentFormat) ?? new UpdateState();

    /// <summary>Writes the state; it is on the disk when this returns.</summary>
    public void Write(UpdateState state)
    {
        OnStep?.Invoke("before the state is written");
        DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(state, UpdateStateJson.Default.UpdateState));
        OnStep?.Invoke("after the state is written");
    }
}

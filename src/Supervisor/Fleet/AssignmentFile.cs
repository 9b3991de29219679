using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Fleet;

/// <summary>Keeps the assignment at hand, or the last one, on the disk: after a restart the device knows what it owes an answer for.</summary>
internal sealed class AssignmentFile(string path)
{
    /// <summary>Format of the file that this program writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>Its name in the supervisor's folder.</summary>
    public const string FileName = "assignment.json";

    /// <summary>For tests: called before and after every write.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>The assignment, or null.</summary>
    public Assignment? Read() => StateFile.Read(path, FleetStateJson.Default.Assignment, assignment => assignment.Format, CurrentFormat);

    /// <summary>Writes it; it is on the disk when this returns.</summary>
    public void Write(Assignment assignment)
    {
        OnStep?.Invoke("before the assignment is written");
        DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(assignment, FleetStateJson.Default.Assignment));
        OnStep?.Invoke("after the assignment is written");
    }

    /// <summary>Forgets it.</summary>
    public void Delete() => DurableFile.Delete(path);
}

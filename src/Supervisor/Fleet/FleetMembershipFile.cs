using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Device;

namespace Appliance.Supervisor.Fleet;

/// <summary>Keeps the membership on the disk, for the supervisor and root alone: it holds a secret.</summary>
internal sealed class FleetMembershipFile(string path)
{
    /// <summary>Format of the file that this program writes.</summary>
    public const int CurrentFormat = 1;

    private const int LargestFile = 1 << 20;

    /// <summary>Its name in the supervisor's folder.</summary>
    public const string FileName = "fleet.json";

    /// <summary>Where it is on a device.</summary>
    public const string DefaultPath = "/var/lib/appliance/supervisor/" + FileName;

    /// <summary>For tests: called before and after every write.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>The membership, or null for a device that has joined no fleet.</summary>
    public FleetMembership? Read() => StateFile.Read(path, FleetStateJson.Default.FleetMembership, membership => membership.Format, CurrentFormat);

    /// <summary>The same for somebody whose file it is not: one that cannot be used is left alone.</summary>
    public FleetMembership? Peek()
    {
        try
        {
            return RecordFile.TryRead(path, FleetStateJson.Default.FleetMembership, LargestFile) is { Format: CurrentFormat } membership ? membership : null;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Writes it; it is on the disk when this returns.</summary>
    public void Write(FleetMembership membership)
    {
        OnStep?.Invoke("before the membership is written");
        DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(membership, FleetStateJson.Default.FleetMembership));
        OnStep?.Invoke("after the membership is written");
    }

    /// <summary>Forgets it.</summary>
    public void Delete() => DurableFile.Delete(path);
}

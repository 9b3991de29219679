using System.Text.Json;
using Appliance.Core;
using Serilog;

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

    /// <summary>
    /// The membership, or null for a device that has joined no fleet. A file that cannot be used is left where it is: another version of
    /// this program may know it.
    /// </summary>
    public FleetMembership? Read()
    {
        try
        {
            return RecordFile.TryRead(path, FleetStateJson.Default.FleetMembership, LargestFile) is not { } membership ? null
                : membership.Format == CurrentFormat ? membership : throw new InvalidDataException($"its format is {membership.Format}, and this program knows {CurrentFormat}");
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            Log.Error("By what the device is known to its fleet cannot be read: {Reason}", e.Message);
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

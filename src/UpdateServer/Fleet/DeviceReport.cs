namespace Appliance.UpdateServer.Fleet;

/// <summary>A batch that a device sent. The same batch sent twice is one row.</summary>
internal sealed class DeviceReport
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>The device.</summary>
    public long DeviceId { get; set; }

    /// <summary>The device's name for it.</summary>
    public required string Batch { get; set; }

    /// <summary>When the device made it.</summary>
    public DateTimeOffset At { get; set; }

    /// <summary>When the server got it.</summary>
    public DateTimeOffset ReceivedAt { get; set; }

    /// <summary>How many lines of its log are in it.</summary>
    public int Lines { get; set; }

    /// <summary>Those lines: JSON, compressed (gzip); null for none.</summary>
    public byte[]? Log { get; set; }
}

namespace Appliance.UpdateServer.Fleet;

/// <summary>What was said about an action: by the device, or by the server.</summary>
internal sealed class ActionMessage
{
    /// <summary>Number of the row.</summary>
    public long Id { get; set; }

    /// <summary>The action.</summary>
    public long ActionId { get; set; }

    /// <summary>When the server got it.</summary>
    public DateTimeOffset At { get; set; }

    /// <summary>DDI's execution, such as <c>proceeding</c>; empty for the server's own words.</summary>
    public required string Execution { get; set; }

    /// <summary>The words, a line each.</summary>
    public required string Text { get; set; }
}

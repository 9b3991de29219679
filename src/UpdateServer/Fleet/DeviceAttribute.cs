namespace Appliance.UpdateServer.Fleet;

/// <summary>A word about a device: what it says of itself (<c>version</c>, <c>board</c>), or a label that people give it (<c>label.site</c>).</summary>
internal sealed class DeviceAttribute
{
    /// <summary>What a label's key begins with; a device cannot set such a one.</summary>
    public const string LabelPrefix = "label.";

    /// <summary>The key under which a device says its board.</summary>
    public const string Board = "board";

    /// <summary>The key under which a device says the version that it runs.</summary>
    public const string Version = "version";

    /// <summary>The device.</summary>
    public long DeviceId { get; set; }

    /// <summary>Key.</summary>
    public required string Key { get; set; }

    /// <summary>Value.</summary>
    public required string Value { get; set; }
}

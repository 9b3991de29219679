namespace Appliance.Core.Fleet;

/// <summary>The words that our server and our devices have for each other in DDI, beside hawkBit's own.</summary>
public static class DdiWords
{
    /// <summary>A part of a device (the type of a software module): its operating system, or an application.</summary>
    public const string SystemPart = "os", ApplicationPart = "bApp";

    /// <summary>The part of a deployment that is no software: the credential of its name is to be made anew.</summary>
    public const string RotationPart = "rotation";

    /// <summary>Keys of what a part says of itself: what it is, in which channel, of which repository.</summary>
    public const string Kind = "appliance.kind", Channel = "appliance.channel", Repository = "appliance.repository";

    /// <summary>What it is.</summary>
    public const string Image = "image", Workload = "workload";
}

namespace Appliance.UpdateClient.Install;

/// <summary>A partition as the table on the disk has it.</summary>
/// <param name="Number">Its number, from 1.</param>
/// <param name="Node">Its device; there is none when the disk is an image file.</param>
/// <param name="Offset">First byte on the disk.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Type">What it is for (Discoverable Partitions Specification).</param>
/// <param name="Id">Its UUID.</param>
/// <param name="Label">Its name.</param>
public sealed record GptPartition(int Number, string Node, long Offset, long Size, Guid Type, Guid Id, string Label);

using System.Security.Cryptography;
using System.Text;

namespace Appliance.Core.Images;

/// <summary>The names and identifiers that follow from an image's id, version and root hash; builder and device derive the same ones.</summary>
public static class ImageIdentity
{
    /// <summary>Label of a slot's partitions while they hold nothing that could be booted.</summary>
    public const string EmptyLabel = "_empty";

    /// <summary>Label of the small FAT partition on which people put what a device is told.</summary>
    public const string ConfigLabel = "config";

    /// <summary>Label of the partitions of a slot that holds this version; it names the version in boot entries, too.</summary>
    public static string SlotLabel(string id, string version) => $"{id}_{version}";

    /// <summary>A stable identifier for a thing of an image: the same id and name always give the same UUID.</summary>
    /// <param name="id">The image id.</param>
    /// <param name="name">What it identifies, e.g. <c>verity</c> for the superblock of the hash tree.</param>
    public static Guid NameBased(string id, string name)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"appliance:{id}:{name}"));
        hash[6] = (byte)((hash[6] & 0x0f) | 0x80); // UUID version 8, RFC 9562: vendor-defined
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80);
        return new Guid(hash.AsSpan(0, 16), bigEndian: true);
    }

    /// <summary>UUIDs of the root and verity partitions: the halves of the root hash (Discoverable Partitions Specification).</summary>
    /// <param name="rootHash">The dm-verity root hash, 64 hex digits.</param>
    public static (Guid Root, Guid Verity) PartitionIds(string rootHash) => (Guid.Parse(rootHash[..32]), Guid.Parse(rootHash[^32..]));
}

using System.Text.Json.Nodes;
using Appliance.Core;
using Appliance.Core.Delta;
using Appliance.Core.Workloads;
using Microsoft.Win32.SafeHandles;

namespace Appliance.ImageBuilder.Publish;

/// <summary>
/// What differs between two versions: packages by their bills of materials, files by what lies in the root file system, and of workloads
/// the images and the objects.
/// </summary>
internal static class ImageDiff
{
    /// <summary>A package or file of which the two sides differ; null where a side lacks it.</summary>
    public sealed record Change<T>(string Name, T? Old, T? New) where T : struct;

    /// <summary>A package and its versions, or an image and its digests; null where a side lacks it.</summary>
    public sealed record VersionChange(string Name, string? Old, string? New);

    /// <summary>An object of a workload that only one side has, or that is not the same on both.</summary>
    public sealed record ObjectChange(string Object, bool InOld, bool InNew);

    /// <summary>Compares bills of materials (CycloneDX).</summary>
    /// <exception cref="UserError">A file is no bill of materials.</exception>
    public static IReadOnlyList<VersionChange> Packages(string oldBill, string newBill)
    {
        return Versions(ReadBill(oldBill), ReadBill(newBill));
    }

    /// <summary>Compares the images of two releases by the digests that their registries have.</summary>
    public static IReadOnlyList<VersionChange> Images(WorkloadRelease old, WorkloadRelease fresh) =>
        Versions(old.Images.ToDictionary(image => image.Reference, image => image.Source), fresh.Images.ToDictionary(image => image.Reference, image => image.Source));

    /// <summary>
    /// Compares the objects of two releases. An object in which only the image's content is another counts too: a device has to replace it.
    /// </summary>
    public static IReadOnlyList<ObjectChange> Objects(WorkloadRelease old, WorkloadRelease fresh)
    {
        var (before, after) = (old.Objects.ToDictionary(ObjectIdentity.Of), fresh.Objects.ToDictionary(ObjectIdentity.Of));
        return before.Keys.Union(after.Keys)
            .Where(identity => !JsonNode.DeepEquals(before.GetValueOrDefault(identity), after.GetValueOrDefault(identity)))
            .Select(identity => new ObjectChange(identity.ToString(), before.ContainsKey(identity), after.ContainsKey(identity)))
            .OrderBy(change => change.Object, StringComparer.Ordinal).ToList();
    }

    /// <summary>Compares the files of two EROFS images by path, size and content; sizes in bytes. Null when an image cannot be read as such.</summary>
    public static IReadOnlyList<Change<long>>? Files(string oldImage, string newImage, CancellationToken cancellationToken)
    {
        using var oldHandle = File.OpenHandle(oldImage);
        using var newHandle = File.OpenHandle(newImage);
        var old = ErofsReader.ReadFiles(oldHandle, RandomAccess.GetLength(oldHandle)).ToDictionary(file => file.Path);
        var fresh = ErofsReader.ReadFiles(newHandle, RandomAccess.GetLength(newHandle)).ToDictionary(file => file.Path);
        if (old.Count == 0 || fresh.Count == 0) return null;
        var changes = new List<Change<long>>();
        foreach (var path in old.Keys.Union(fresh.Keys).Order(StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (inOld, inNew) = (old.TryGetValue(path, out var before), fresh.TryGetValue(path, out var after));
            if (inOld && inNew && before.Length == after.Length && SameBytes(oldHandle, before.Offset, newHandle, after.Offset, after.Length)) continue;
            changes.Add(new Change<long>(path, inOld ? before.Length : null, inNew ? after.Length : null));
        }
        return changes;
    }

    private static List<VersionChange> Versions(Dictionary<string, string> old, Dictionary<string, string> fresh) =>
        old.Keys.Union(fresh.Keys).Order(StringComparer.Ordinal)
            .Select(name => new VersionChange(name, old.GetValueOrDefault(name), fresh.GetValueOrDefault(name)))
            .Where(change => change.Old != change.New).ToList();

    private static bool SameBytes(SafeFileHandle a, long atA, SafeFileHandle b, long atB, long length)
    {
        Span<byte> left = new byte[64 << 10], right = new byte[64 << 10];
        for (long done = 0; done < length;)
        {
            var count = (int)Math.Min(left.Length, length - done);
            if (a.ReadUpTo(left[..count], atA + done) != count || b.ReadUpTo(right[..count], atB + done) != count || !left[..count].SequenceEqual(right[..count])) return false;
            done += count;
        }
        return true;
    }

    private static Dictionary<string, string> ReadBill(string path)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(path))!["components"]!.AsArray()
                .GroupBy(component => (string)component!["name"]!, component => (string?)component!["version"] ?? "")
                .ToDictionary(group => group.Key, group => group.First(), StringComparer.Ordinal);
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or NullReferenceException or InvalidOperationException)
        {
            throw new UserError($"{path} is no bill of materials: {e.Message}", "It should be the sbom.cdx.json that a build made.", e);
        }
    }
}

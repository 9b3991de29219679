using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Fleet;

namespace Appliance.Supervisor.Fleet;

/// <summary>Finds out what a deployment of DDI means for this device.</summary>
internal static class AssignmentReader
{
    private const int LongestAddress = 2048;

    /// <summary>The assignment, or null with the reason why it can be none.</summary>
    /// <param name="action">The server's number for it.</param>
    /// <param name="deployment">What the server says.</param>
    /// <param name="mayRestart">Whether the device may restart now.</param>
    /// <param name="now">The time.</param>
    /// <param name="reason">Why it can be none.</param>
    public static Assignment? TryRead(string action, DdiDeployment deployment, bool mayRestart, DateTimeOffset now, out string reason)
    {
        reason = "";
        if (deployment.Chunks is not [{ } chunk])
        {
            reason = $"A deployment has one part, and this one {deployment.Chunks?.Count ?? 0}: assign them one by one.";
            return null;
        }
        if (chunk.Title is not var (name, version))
        {
            reason = $"The part's name or version is missing, or has more than {DdiChunk.LongestName} characters.";
            return null;
        }
        var assignment = new Assignment { Id = action, Kind = AssignmentKind.Image, Name = name, Version = version, IsForced = deployment.Update == "forced", MayRestart = mayRestart, HasWindow = deployment.MaintenanceWindow is not null, At = now };
        var files = (chunk.Artifacts ?? []).OfType<DdiArtifact>().ToList();
        if (chunk.Part == DdiWords.RotationPart)
        {
            if (files.Count == 0) return assignment with { Kind = AssignmentKind.Rotation };
            if (files is [{ Href: { } file }] && IsWeb(file) && DdiClient.IsFile(file)) return assignment with { Kind = AssignmentKind.Rotation, Source = file };
            reason = $"The rotation {assignment.Title} has more than one file, or one that is not this server's.";
            return null;
        }
        // Our server says where the repository is; a difference from it is less than a whole bundle.
        if (chunk.Word(DdiWords.Kind) is { } kind)
        {
            if (kind is not (DdiWords.Image or DdiWords.Workload) || !BundleRules.IsIdentifier(name) || !BundleRules.IsVersion(version) || (chunk.Word(DdiWords.Channel) is { } channel && !BundleRules.IsIdentifier(channel))) reason = $"The part is none that this device knows: kind, name, version or channel.";
            var repository = chunk.Word(DdiWords.Repository);
            if (repository is not null && !IsWeb(repository)) reason = "The part's repository is no address.";
            return reason.Length > 0 ? null : assignment with { Kind = kind == DdiWords.Image ? AssignmentKind.Image : AssignmentKind.Workload, Source = repository, Channel = chunk.Word(DdiWords.Channel) };
        }
        var bundles = files.Where(artifact => artifact.Filename?.EndsWith(BundleRules.Extension, StringComparison.OrdinalIgnoreCase) == true).ToList();
        if (bundles is not [{ Href: { } href }] || !IsWeb(href))
        {
            reason = $"The part {assignment.Title} has no single *{BundleRules.Extension} among its files, which is what this device installs.";
            return null;
        }
        return assignment with { Kind = chunk.Part == DdiWords.ApplicationPart ? AssignmentKind.WorkloadBundle : AssignmentKind.ImageBundle, Source = href };
    }

    /// <summary>A server has no business with files of the device.</summary>
    private static bool IsWeb(string text) => text.Length <= LongestAddress && WebAddress.IsWeb(text);
}

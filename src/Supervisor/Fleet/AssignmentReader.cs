using Appliance.Core;
using Appliance.Core.Bundles;

namespace Appliance.Supervisor.Fleet;

/// <summary>Finds out what a deployment of DDI means for this device.</summary>
internal static class AssignmentReader
{
    private const string Image = "image", Workload = "workload", Application = "bApp";

    /// <summary>The assignment, or null with the reason why it can be none.</summary>
    /// <param name="action">The server's number for it.</param>
    /// <param name="deployment">What the server says.</param>
    /// <param name="mayRestart">Whether the device may restart now.</param>
    /// <param name="now">The time.</param>
    /// <param name="reason">Why it can be none.</param>
    public static Assignment? TryRead(string action, DdiDeployment deployment, bool mayRestart, DateTimeOffset now, out string reason)
    {
        reason = "";
        if (deployment.Chunks is not [var chunk])
        {
            reason = $"A deployment has one part, and this one {deployment.Chunks?.Count ?? 0}: assign them one by one.";
            return null;
        }
        if (chunk is not { Name: { Length: > 0 } name, Version: { Length: > 0 } version })
        {
            reason = "The part lacks its name or version.";
            return null;
        }
        var assignment = new Assignment { Id = action, Kind = AssignmentKind.Image, Name = PlainText.Clean(name), Version = PlainText.Clean(version), IsForced = deployment.Update == "forced", MayRestart = mayRestart, At = now };
        // Our server says where the repository is; a difference from it is less than a whole bundle.
        if (chunk.Word("appliance.kind") is { } kind)
        {
            if (kind is not (Image or Workload) || !BundleRules.IsIdentifier(name)) reason = $"The part is of a kind that this device does not know: {PlainText.Clean(kind)}.";
            var repository = chunk.Word("appliance.repository");
            if (repository is not null && !IsWeb(repository)) reason = $"{PlainText.Clean(repository)} is no address of a repository.";
            return reason.Length > 0 ? null : assignment with { Kind = kind == Image ? AssignmentKind.Image : AssignmentKind.Workload, Source = repository, Channel = chunk.Word("appliance.channel") };
        }
        var bundles = (chunk.Artifacts ?? []).Where(artifact => artifact.Filename?.EndsWith(BundleRules.Extension, StringComparison.OrdinalIgnoreCase) == true).ToList();
        if (bundles is not [{ Href: { } href }] || !IsWeb(href))
        {
            reason = $"The part {assignment.Title} has no single *{BundleRules.Extension} among its files, which is what this device installs.";
            return null;
        }
        return assignment with { Kind = chunk.Part == Application ? AssignmentKind.WorkloadBundle : AssignmentKind.ImageBundle, Source = href };
    }

    /// <summary>A server has no business with files of the device.</summary>
    private static bool IsWeb(string text) => Uri.TryCreate(text, UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps);
}

using Appliance.Core;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;

namespace Appliance.UpdateClient.Trust;

/// <summary>A release that a channel lists.</summary>
internal sealed record PublishedRelease(TargetFile Target, ReleaseOffer Offer, Release Release)
{
    /// <summary>Path of the release document in the repository.</summary>
    public string Path => Target.PathInRepository(consistentSnapshot: true);

    /// <summary>Every file of the repository that this release needs.</summary>
    public IEnumerable<string> Files() => Release.Objects().Select(reference => reference.Path).Prepend(Path);

    /// <summary>Reads the releases of a channel.</summary>
    /// <param name="folder">The repository.</param>
    /// <param name="targets">What the channel lists.</param>
    /// <exception cref="UserError">A release is missing or damaged.</exception>
    public static IReadOnlyList<PublishedRelease> ReadAll(string folder, IEnumerable<TargetFile> targets) => targets.Select(target => Read(folder, target)).ToList();

    private static PublishedRelease Read(string folder, TargetFile target)
    {
        var path = System.IO.Path.Combine(folder, target.PathInRepository(consistentSnapshot: true));
        try
        {
            var bytes = File.ReadAllBytes(path);
            if (bytes.Length != target.Length || !target.Hashes.Match(bytes)) throw new InvalidDataException("it is not the file that was signed");
            var offer = ReleaseReader.ParseOffer(target.Custom ?? throw new InvalidDataException("the channel does not describe it"));
            return new PublishedRelease(target, offer, ReleaseReader.Parse(bytes));
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new UserError($"The release {path} cannot be read: {e.Message}", "Restore it from a backup or a mirror of the repository.", e);
        }
    }
}

using Appliance.Core;
using Appliance.Core.Releases;
using Appliance.Core.Tuf;

namespace Appliance.ImageBuilder.Publish;

/// <summary>A release that a channel lists.</summary>
internal sealed record PublishedRelease(TargetFile Target, ReleaseOffer Offer, Release Release)
{
    /// <summary>Path of the release document in the repository.</summary>
    public string Path => Target.PathInRepository(consistentSnapshot: true);

    /// <summary>Every file of the repository that this release needs.</summary>
    public IEnumerable<string> Files() => Release.Objects().Select(reference => reference.Path).Prepend(Path);

    /// <summary>Reads the releases of a channel.</summary>
    /// <exception cref="UserError">A release is missing or damaged.</exception>
    public static IReadOnlyList<PublishedRelease> ReadAll(RepositoryFolder folder, IEnumerable<TargetFile> targets) => targets.Select(target => Read(folder, target)).ToList();

    private static PublishedRelease Read(RepositoryFolder folder, TargetFile target)
    {
        var path = folder.Locate(target.PathInRepository(consistentSnapshot: true));
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

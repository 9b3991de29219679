using System.Globalization;
using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Fleet;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Releases;

/// <summary>Makes rotations: releases without files, by which devices make a credential anew.</summary>
internal sealed partial class RotationBook(FleetDatabase database, TimeProvider time)
{
    private const string VersionFormat = "yyyyMMdd'T'HHmm'Z'";

    /// <summary>Makes a rotation; the same one again is the one that there is.</summary>
    /// <param name="credential">Name of the credential: <c>page-certificate</c>, or <c>all</c>.</param>
    /// <param name="version">Version; null for the minute, in UTC.</param>
    /// <param name="who">Who makes it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The name or the version is none.</exception>
    public async Task<Release> CreateAsync(string? credential, string? version, string who, CancellationToken cancellationToken)
    {
        if (credential is null || !Name().IsMatch(credential)) throw new UserError($"\"{credential}\" is no name of a credential.", "It has 1 to 64 lower-case letters, digits, dots and dashes: ssh-host-key.");
        var now = time.GetUtcNow();
        version ??= now.ToString(VersionFormat, CultureInfo.InvariantCulture);
        if (!BundleRules.IsVersion(version)) throw new UserError($"\"{version}\" is no version.", "It has at most 64 letters, digits, dots and dashes, a letter or digit first.");
        try
        {
            return await database.WriteAsync(async context => await FindAsync(context) ?? Add(context), cancellationToken);
        }
        catch (DbUpdateException)
        {
            // Another server was first, or it cannot be written.
            await using var context = database.Open();
            if (await FindAsync(context) is { } other) return other;
            throw;
        }

        Task<Release?> FindAsync(FleetContext context) => context.Releases.FirstOrDefaultAsync(row => row.Kind == ReleaseKind.Rotation && row.Name == credential && row.Version == version, cancellationToken);

        Release Add(FleetContext context)
        {
            var rotation = new Release { Kind = ReleaseKind.Rotation, Part = DdiWords.RotationPart, Name = credential, Version = version, CreatedAt = now };
            context.Releases.Add(rotation);
            context.Note(now, who, "rotation.create", $"release {credential} {version}");
            return rotation;
        }
    }

    [GeneratedRegex(@"^[a-z0-9.-]{1,64}\z")]
    private static partial Regex Name();
}

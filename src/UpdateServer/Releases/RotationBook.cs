using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;
using Appliance.Core;
using Appliance.Core.Bundles;
using Appliance.Core.Fleet;
using Appliance.UpdateServer.Fleet;
using Appliance.UpdateServer.Inventory;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Releases;

/// <summary>Makes rotations: releases without files, by which devices make a credential anew.</summary>
internal sealed partial class RotationBook(FleetDatabase database, DeviceRegister devices, TimeProvider time)
{
    private const string VersionFormat = "yyyyMMdd'T'HHmm'Z'";

    /// <summary>A rotation that a device was given, and its action.</summary>
    public sealed record GivenRotation(ReleaseReader.ReleaseView Rotation, long Action);

    /// <summary>Makes a rotation; the same one again is the one that there is.</summary>
    /// <param name="credential">Name of the credential: <c>page-certificate</c>, or <c>all</c>.</param>
    /// <param name="version">Version; null for the minute, in UTC.</param>
    /// <param name="who">Who makes it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">The name or the version is none.</exception>
    public Task<Release> CreateAsync(string? credential, string? version, string who, CancellationToken cancellationToken) =>
        WriteAsync(context => FindOrAddAsync(context, credential, version, who, cancellationToken), cancellationToken);

    /// <summary>Makes a rotation and gives it to a device; both or nothing.</summary>
    /// <exception cref="UserError">The name is none, or the device has left the fleet.</exception>
    /// <exception cref="MissingException">There is no such device.</exception>
    public Task<GivenRotation> GiveAsync(string device, string? credential, bool forced, string who, CancellationToken cancellationToken) => WriteAsync(async context =>
    {
        var rotation = await FindOrAddAsync(context, credential, null, who, cancellationToken);
        await context.SaveChangesAsync(cancellationToken);
        return new GivenRotation(ReleaseReader.View(rotation), await devices.AssignAsync(context, device, new DeviceRegister.Assignment(rotation.Id, forced, false, null), who, cancellationToken));
    }, cancellationToken);

    /// <summary>Wants the name of a credential; which there are is the devices' business.</summary>
    /// <exception cref="UserError">It is none.</exception>
    public static void RequireName([NotNull] string? credential)
    {
        if (credential is null || !Name().IsMatch(credential)) throw new UserError($"\"{credential}\" is no name of a credential.", "It has 1 to 64 lower-case letters, digits, dots and dashes: ssh-host-key.");
    }

    private async Task<T> WriteAsync<T>(Func<FleetContext, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await database.WriteAsync(work, cancellationToken);
        }
        catch (DbUpdateException)
        {
            // Another server has made the same rotation at the same time, and it is found now; or nothing can be written.
            return await database.WriteAsync(work, cancellationToken);
        }
    }

    private async Task<Release> FindOrAddAsync(FleetContext context, string? credential, string? version, string who, CancellationToken cancellationToken)
    {
        RequireName(credential);
        var now = time.GetUtcNow();
        version ??= now.ToString(VersionFormat, CultureInfo.InvariantCulture);
        if (!BundleRules.IsVersion(version)) throw new UserError($"\"{version}\" is no version.", "It has at most 64 letters, digits, dots and dashes, a letter or digit first.");
        if (await context.Releases.FirstOrDefaultAsync(row => row.Kind == ReleaseKind.Rotation && row.Name == credential && row.Version == version, cancellationToken) is { } known) return known;
        var rotation = new Release { Kind = ReleaseKind.Rotation, Part = DdiWords.RotationPart, Name = credential, Version = version, CreatedAt = now };
        context.Releases.Add(rotation);
        context.Note(now, who, "rotation.create", $"release {credential} {version}");
        return rotation;
    }

    [GeneratedRegex(@"^[a-z0-9.-]{1,64}\z")]
    private static partial Regex Name();
}

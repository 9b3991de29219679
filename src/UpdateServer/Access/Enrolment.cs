using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Access;

/// <summary>Devices that nobody knows yet become part of the fleet by a token, and get one of their own.</summary>
internal sealed class Enrolment(FleetDatabase database, TimeProvider time)
{
    private const string Prefix = "enrol";
    private const int MostUses = 100_000;

    /// <summary>Makes a token; this is the only time that anybody sees it.</summary>
    /// <param name="name">What it is for.</param>
    /// <param name="uses">How many devices it lets in.</param>
    /// <param name="days">How long it holds.</param>
    /// <param name="who">Who makes it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It makes no sense.</exception>
    public async Task<string> CreateAsync(string? name, int uses, int days, string who, CancellationToken cancellationToken)
    {
        if (name?.Trim().Length is null or 0 or > FleetContext.LongestName) throw new UserError("A token needs a name.", "What it is for: the audit log says it.");
        if (uses is < 1 or > MostUses || days is < 1 or > KeyRing.MostDays) throw new UserError($"uses is a number from 1 to {MostUses}, days one from 1 to {KeyRing.MostDays}.");
        var (secret, hash) = SecretToken.Create();
        var token = await database.WriteAsync(context =>
        {
            var token = new EnrolmentToken { Name = name.Trim(), Hash = hash, UsesLeft = uses, ExpiresAt = time.GetUtcNow().AddDays(days) };
            context.EnrolmentTokens.Add(token);
            context.Note(time.GetUtcNow(), who, "enrolment.create", $"enrolment token {token.Name}", $"{uses} devices, until {token.ExpiresAt:u}");
            return Task.FromResult(token);
        }, cancellationToken);
        return SecretToken.Write(Prefix, token.Id, secret);
    }

    /// <summary>Lets a device in, and gives it a token of its own.</summary>
    /// <param name="token">The token.</param>
    /// <param name="controllerId">What the device calls itself.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The device's own token.</returns>
    /// <exception cref="UserError">It is not let in.</exception>
    public Task<string> EnrolAsync(string token, string controllerId, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var (secret, hash) = SecretToken.Create();
        (await AdmitAsync(context, token, controllerId, cancellationToken)).TokenHash = hash;
        return secret;
    }, cancellationToken);

    /// <summary>Lets a device in. Asked again by a device that did not get the answer, it is let in once more, as long as it has never shown what it got.</summary>
    /// <param name="context">The transaction.</param>
    /// <param name="token">The token.</param>
    /// <param name="controllerId">What the device calls itself.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The device.</returns>
    /// <exception cref="UserError">It is not let in.</exception>
    public async Task<Device> AdmitAsync(FleetContext context, string token, string controllerId, CancellationToken cancellationToken)
    {
        if (controllerId.Length is 0 or > FleetContext.LongestName) throw new UserError($"A device's id has 1 to {FleetContext.LongestName} characters.");
        var known = await RequireAsync(context, token, cancellationToken);
        var row = known.Id;
        var device = await context.Devices.FirstOrDefaultAsync(entry => entry.ControllerId == controllerId, cancellationToken);
        if (device is { LastSeenAt: null, State: DeviceState.Registered, EnrolledBy: { } by } && by == row)
        {
            // What the first answer brought, somebody else may have; it holds no longer.
            device.TokenHash = null;
            await context.RevokeCertificatesAsync(device.Id, time.GetUtcNow(), cancellationToken);
            return device;
        }
        if (device is not null) throw new UserError($"There is a device {controllerId} already.", "Is it the same one? Then an administrator gives it a token of its own: POST /api/v1/devices/ID/token.");
        if (await context.EnrolmentTokens.Where(entry => entry.Id == row && entry.UsesLeft > 0).ExecuteUpdateAsync(set => set.SetProperty(entry => entry.UsesLeft, entry => entry.UsesLeft - 1), cancellationToken) == 0) throw Refused();
        device = new Device { ControllerId = controllerId, Name = controllerId, CreatedAt = time.GetUtcNow(), EnrolledBy = row };
        context.Devices.Add(device);
        context.Note(time.GetUtcNow(), controllerId, "device.enrol", $"device {controllerId}", $"by {known.Name}");
        return device;
    }

    /// <summary>The token, when it is one and not over; whether it is used up is known by whoever uses it.</summary>
    /// <param name="context">Where it is looked for.</param>
    /// <param name="token">The token.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It does not hold.</exception>
    public async Task<EnrolmentToken> RequireAsync(FleetContext context, string token, CancellationToken cancellationToken)
    {
        if (SecretToken.TryRead(Prefix, token) is not var (row, given)) throw Refused();
        var known = await context.EnrolmentTokens.AsNoTracking().FirstOrDefaultAsync(entry => entry.Id == row, cancellationToken);
        return known is not null && SecretToken.Matches(given, known.Hash) && known.ExpiresAt >= time.GetUtcNow() ? known : throw Refused();
    }

    private static UserError Refused() => new("The enrolment token does not hold: it is used up, over, or none.", "Make a new one: POST /api/v1/enrolment-tokens.");
}

using Appliance.Core;
using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Access;

/// <summary>The keys that people and programs have.</summary>
internal sealed class KeyRing(FleetDatabase database, KeyAuthentication authentication, TimeProvider time)
{
    /// <summary>Longest life of anything that is given out, in days.</summary>
    public const int MostDays = 3650;

    /// <summary>A key, without its secret.</summary>
    public sealed record KeyView(long Id, string Name, Role Role, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt);

    /// <summary>All of them, the oldest first.</summary>
    public async Task<IReadOnlyList<KeyView>> ListAsync(CancellationToken cancellationToken)
    {
        await using var context = database.Open();
        return await context.Keys.AsNoTracking().Where(key => key.SessionOf == null).OrderBy(key => key.Id).Select(key => new KeyView(key.Id, key.Name, key.Role, key.CreatedAt, key.ExpiresAt)).ToListAsync(cancellationToken);
    }

    /// <summary>Makes a key.</summary>
    /// <returns>The key; this is the only time that anybody sees it.</returns>
    /// <exception cref="UserError">It makes no sense.</exception>
    public Task<string> CreateAsync(string? name, Role role, int? days, string who, CancellationToken cancellationToken)
    {
        if (name?.Trim().Length is null or 0 or > FleetContext.LongestName) throw new UserError("A key needs a name.", "Whose it is: the audit log says it.");
        if (days is < 1 or > MostDays) throw new UserError($"days is a number from 1 to {MostDays}.");
        return authentication.CreateAsync(name.Trim(), role, days is { } count ? TimeSpan.FromDays(count) : null, who, cancellationToken);
    }

    /// <summary>Takes a key back, and with it the sessions that were begun with it.</summary>
    /// <exception cref="UserError">It is the last one of an administrator; keys that have ended do not count.</exception>
    /// <exception cref="MissingException">There is none such.</exception>
    public Task RevokeAsync(long id, string who, CancellationToken cancellationToken) => database.WriteAsync(async context =>
    {
        var key = await context.Keys.FirstOrDefaultAsync(row => row.Id == id && row.SessionOf == null, cancellationToken) ?? throw new MissingException($"key {id}");
        var now = time.GetUtcNow();
        if (key.Role == Role.Admin && !await context.Keys.AnyAsync(row => row.Id != id && row.Role == Role.Admin && row.SessionOf == null && (row.ExpiresAt == null || row.ExpiresAt > now), cancellationToken))
            throw new UserError("There is no other key of an Admin that holds.", "Make another one first.");
        context.Keys.Remove(key);
        context.Note(now, who, "key.revoke", $"key {key.Name}");
    }, cancellationToken);
}

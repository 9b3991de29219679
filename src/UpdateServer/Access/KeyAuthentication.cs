using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Access;

/// <summary>Who uses the management API: by a key, <c>Authorization: Bearer apk_…</c>. Who logs in to the page gets a key that ends soon, in a cookie.</summary>
internal sealed class KeyAuthentication(FleetDatabase database, TimeProvider time)
{
    private const string Bearer = "Bearer ", Prefix = "apk";

    /// <summary>How long somebody who has logged in to the page stays so.</summary>
    public static readonly TimeSpan Session = TimeSpan.FromHours(12);

    /// <summary>Whose key a request shows; null when it shows none that holds.</summary>
    public Task<ApiKey?> FindAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var text = request.Headers.Authorization.ToString();
        return text.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? FindAsync(text[Bearer.Length..].Trim(), cancellationToken) : Task.FromResult<ApiKey?>(null);
    }

    /// <summary>Whose key it is; null when it does not hold.</summary>
    public async Task<ApiKey?> FindAsync(string text, CancellationToken cancellationToken)
    {
        if (SecretToken.TryRead(Prefix, text) is not var (row, secret)) return null;
        await using var context = database.Open();
        var key = await context.Keys.AsNoTracking().FirstOrDefaultAsync(key => key.Id == row, cancellationToken);
        return key is not null && SecretToken.Matches(secret, key.Hash) && !(key.ExpiresAt < time.GetUtcNow()) ? key : null;
    }

    /// <summary>Begins a session of whoever has a key: a key of the same rights that ends soon, and with the one that it is made of.</summary>
    public async Task<string> LogInAsync(ApiKey key, CancellationToken cancellationToken)
    {
        var (secret, hash) = SecretToken.Create();
        var session = await database.WriteAsync(async context =>
        {
            var now = time.GetUtcNow();
            await context.Keys.Where(row => row.SessionOf != null && row.ExpiresAt < now).ExecuteDeleteAsync(cancellationToken);
            var ends = now + Session;
            var session = new ApiKey { Name = key.Name, Role = key.Role, Hash = hash, CreatedAt = now, ExpiresAt = key.ExpiresAt < ends ? key.ExpiresAt : ends, SessionOf = key.SessionOf ?? key.Id };
            context.Keys.Add(session);
            context.Note(now, key.Name, "session.begin", $"key {key.Name}");
            return session;
        }, cancellationToken);
        return SecretToken.Write(Prefix, session.Id, secret);
    }

    /// <summary>Ends a session.</summary>
    public Task LogOutAsync(ApiKey session, CancellationToken cancellationToken) => database.WriteAsync(context => context.Keys.Where(row => row.Id == session.Id && row.SessionOf != null).ExecuteDeleteAsync(cancellationToken), cancellationToken);

    /// <summary>Makes a key; this is the only time that anybody sees it.</summary>
    /// <param name="name">Whose it is.</param>
    /// <param name="role">What it may do.</param>
    /// <param name="life">How long it holds; null for ever.</param>
    /// <param name="who">Who makes it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task<string> CreateAsync(string name, Role role, TimeSpan? life, string who, CancellationToken cancellationToken)
    {
        var (secret, hash) = SecretToken.Create();
        var key = await database.WriteAsync(context =>
        {
            var key = new ApiKey { Name = name, Role = role, Hash = hash, CreatedAt = time.GetUtcNow(), ExpiresAt = life is null ? null : time.GetUtcNow() + life };
            context.Keys.Add(key);
            context.Note(time.GetUtcNow(), who, "key.create", $"key {name}", role.ToString());
            return Task.FromResult(key);
        }, cancellationToken);
        return SecretToken.Write(Prefix, key.Id, secret);
    }
}

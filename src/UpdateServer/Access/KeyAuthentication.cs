using Appliance.UpdateServer.Fleet;
using Microsoft.EntityFrameworkCore;

namespace Appliance.UpdateServer.Access;

/// <summary>Who uses the management API: by a key, <c>Authorization: Bearer apk_…</c>.</summary>
internal sealed class KeyAuthentication(FleetDatabase database, TimeProvider time)
{
    private const string Bearer = "Bearer ", Prefix = "apk";

    /// <summary>Whose key a request shows; null when it shows none that holds.</summary>
    public async Task<ApiKey?> FindAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var text = request.Headers.Authorization.ToString();
        if (!text.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) || SecretToken.TryRead(Prefix, text[Bearer.Length..].Trim()) is not var (row, secret)) return null;
        await using var context = database.Open();
        var key = await context.Keys.AsNoTracking().FirstOrDefaultAsync(key => key.Id == row, cancellationToken);
        return key is not null && SecretToken.Matches(secret, key.Hash) && !(key.ExpiresAt < time.GetUtcNow()) ? key : null;
    }

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

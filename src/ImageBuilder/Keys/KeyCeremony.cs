using Appliance.Core;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;
using Appliance.ImageBuilder.Publish;

namespace Appliance.ImageBuilder.Keys;

/// <summary>What is done with a folder of keys, and with the repository that they sign.</summary>
internal static class KeyCeremony
{
    /// <summary>Makes the keys and the first root. The folder appears when it is whole.</summary>
    public static KeyFolder Init(string path, int rootKeys, int rootThreshold, IReadOnlyList<string> channels, Func<string> passphrase)
    {
        foreach (var channel in channels) ChannelName.Require(channel);
        if (rootKeys is < 1 or > 20 || rootThreshold < 1 || rootThreshold > rootKeys)
            throw new UserError($"{rootThreshold} of {rootKeys} root keys cannot be required.", "Give --root-keys from 1 to 20 and --root-threshold from 1 to that number.");
        return KeyFolder.Create(path, passphrase, folder =>
        {
            for (var i = 0; i < rootKeys; i++) folder.Add(TufRole.Root);
            foreach (var role in TufRole.TopLevel.Where(role => role != TufRole.Root).Concat(channels.Distinct())) folder.Add(role);
            var thresholds = TufRole.TopLevel.ToDictionary(role => role, role => role == TufRole.Root ? rootThreshold : 1);
            folder.WriteRoot(RootDocument.CreateFirst(thresholds, folder, TimeProvider.System.GetUtcNow(), new TufLifetimes().Root));
        });
    }

    /// <summary>Makes a key for a further channel.</summary>
    public static void Add(KeyFolder folder, string channel)
    {
        if (folder.SignersFor(ChannelName.Require(channel)).Count > 0)
            throw new UserError($"The channel {channel} has a key already.", "To replace it: appliance keys rotate --role " + channel);
        folder.CheckPassphrase();
        folder.Add(channel);
    }

    /// <summary>Gives a role new keys, or completes a rotation of it that was interrupted after it was published.</summary>
    /// <param name="folder">The keys.</param>
    /// <param name="repository">The repository's folder, or the working copy of a server's.</param>
    /// <param name="server">The server that the repository is of; null when the folder is the repository.</param>
    /// <param name="role">The role.</param>
    /// <param name="count">Number of new keys; null for as many as there are.</param>
    /// <param name="threshold">How many of them must sign; null for as before.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<KeyRotation> RotateAsync(KeyFolder folder, string repository, ServerRepository? server, string role, int? count, int? threshold, CancellationToken cancellationToken)
    {
        if (server is not null) await server.PullAsync(cancellationToken);
        using var writer = Open(folder, repository);
        var before = RoleOf(writer, role);
        var pending = folder.Keys.Where(key => key.Role == role && key.IsPending).ToList();
        var completed = pending.Any(key => before.KeyIds.Contains(key.Key.Id));
        if (!completed)
        {
            var wanted = count ?? before.KeyIds.Count;
            if (wanted is < 1 or > 20 || (threshold ?? before.Threshold) is var needed && (needed < 1 || needed > wanted))
                throw new UserError($"{threshold ?? before.Threshold} of {wanted} keys cannot be required for role {role}.", "Give --keys from 1 to 20 and --threshold from 1 to that number.");
            folder.CheckPassphrase();
            var known = pending.Count;
            while (pending.Count < wanted) pending.Add(folder.Add(role, pending: true));
            if (server is not null && IsOnline(role) && known < wanted) throw new UserError($"The server signs with the new keys of {role}, and has to have them first; nothing was published yet.", $"Copy {string.Join(", ", pending.Select(key => key.Path))} into its folder of online keys, start it anew, and run the same command again.");
            writer.ReplaceKeys(role, [.. pending.Take(wanted).Select(key => key.Key)], threshold ?? before.Threshold);
            await CommitAsync(writer, server, cancellationToken);
        }
        folder.WriteRoot(writer.Root.Envelope.Bytes.Span);
        var retired = folder.Settle(role, RoleOf(writer, role).KeyIds);
        return new KeyRotation(role, [.. folder.Keys.Where(key => key.Role == role)], retired, writer.Root.Version, completed);
    }

    /// <summary>Renews roles, or all that are due.</summary>
    /// <param name="folder">The keys.</param>
    /// <param name="repository">The repository's folder, or the working copy of a server's.</param>
    /// <param name="server">The server that the repository is of, which renews snapshot and timestamp by itself; null when the folder is the repository.</param>
    /// <param name="roles">The roles; none for all that are due.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<DueRoles> RenewAsync(KeyFolder folder, string repository, ServerRepository? server, IReadOnlyList<string> roles, CancellationToken cancellationToken)
    {
        if (server is not null)
        {
            if (roles.FirstOrDefault(IsOnline) is { } online) throw new UserError($"The server renews {online} by itself.", "Its keys are among its online keys; its log says when it cannot.");
            await server.PullAsync(cancellationToken);
        }
        using var writer = Open(folder, repository);
        foreach (var role in roles) writer.Renew(role);
        var due = roles.Count == 0 ? writer.RenewDue() : new DueRoles(roles, []);
        if (server is not null) due = new DueRoles([.. due.Renewed.Where(role => !IsOnline(role))], [.. due.Left.Where(left => !IsOnline(left.Role))]);
        if (await CommitAsync(writer, server, cancellationToken)) folder.WriteRoot(writer.Root.Envelope.Bytes.Span);
        return due;
    }

    private static bool IsOnline(string role) => role is TufRole.Snapshot or TufRole.Timestamp;

    private static async Task<bool> CommitAsync(TufRepositoryWriter writer, ServerRepository? server, CancellationToken cancellationToken) =>
        server is null ? writer.Commit() : await server.CommitAsync(writer, [], isThere: true, (_, _) => { }, cancellationToken);

    private static TufRepositoryWriter Open(KeyFolder folder, string repository) =>
        File.Exists(Path.Combine(repository, "metadata", "timestamp.json"))
            ? TufRepositoryWriter.Open(repository, folder)
            : throw new UserError($"{repository} holds no repository.", "Name the folder that `appliance publish` made; the keys of one that does not exist yet can simply be made anew.");

    private static TufRole RoleOf(TufRepositoryWriter writer, string role) =>
        writer.Root.Roles.GetValueOrDefault(role)
        ?? writer.Channels.FirstOrDefault(channel => channel.Name == role)?.Role
        ?? throw new UserError($"The repository has no role {role}.", $"It has: {string.Join(", ", TufRole.TopLevel.Concat(writer.Channels.Select(channel => channel.Name)))}");
}

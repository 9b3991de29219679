using Appliance.Core;
using Appliance.Core.Tuf;

namespace Appliance.UpdateClient.Trust;

/// <summary>A repository read the way a device does, with a trust folder that is forgotten afterwards.</summary>
internal sealed class TrustedRepository : IDisposable
{
    private readonly DirectoryInfo _trust;

    private TrustedRepository(DirectoryInfo trust, TufClient client) => (_trust, Client) = (trust, client);

    /// <summary>The client with its trusted metadata.</summary>
    public TufClient Client { get; }

    /// <summary>Channels of the repository.</summary>
    public IReadOnlyList<string> Channels => Client.Trusted.Targets!.Delegations.Select(role => role.Name).ToList();

    /// <summary>Reads and verifies the metadata.</summary>
    /// <param name="source">The repository.</param>
    /// <param name="root">A trusted root file, or null to believe the repository's own first root.</param>
    /// <param name="time">The clock for expiry.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="UserError">It is no repository, or not to be trusted.</exception>
    public static async Task<TrustedRepository> OpenAsync(IRepositorySource source, string? root, TimeProvider time, CancellationToken cancellationToken)
    {
        var trusted = root is not null ? ReadRoot(root)
            : await source.TryReadAsync("metadata/1.root.json", TufLimits.Root, cancellationToken)
                ?? throw new UserError("This is not a repository: it has no metadata/1.root.json.", "Name the folder that `appliance publish --repo` writes to, or a bundle that `appliance bundle` made.");
        var trust = Directory.CreateTempSubdirectory("appliance-trust");
        var repository = new TrustedRepository(trust, new TufClient(source, trust.FullName, trusted, new TufClientOptions { Time = time }));
        try
        {
            await repository.Client.RefreshAsync(cancellationToken);
            return repository;
        }
        catch
        {
            repository.Dispose();
            throw;
        }
    }

    public void Dispose() => _trust.Delete(recursive: true);

    private static byte[] ReadRoot(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists || file.Length > TufLimits.Root) throw new UserError($"{path} is no root metadata.", "Name the root.json of the keys, or the one that was baked into the image.");
        return File.ReadAllBytes(path);
    }
}

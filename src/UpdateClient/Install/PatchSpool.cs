using System.Security.Cryptography;
using Appliance.Core.Releases;

namespace Appliance.UpdateClient.Install;

/// <summary>A patch that is fetched into the state folder. What has come is kept over interruptions; its length says how far it is.</summary>
internal sealed class PatchSpool(IRepositorySource source, ObjectReference patch, string folder)
{
    private const string Prefix = "patch-";
    private const int PieceSize = 256 << 10;
    private const int Tries = 2;

    private string FilePath => Path.Combine(folder, Prefix + patch.Sha256);

    /// <summary>Bytes that are there already.</summary>
    public long Spooled => new FileInfo(FilePath) is { Exists: true } file ? Math.Min(file.Length, patch.Size) : 0;

    /// <summary>Removes all spooled patches.</summary>
    public static void Clear(string folder)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var file in Directory.EnumerateFiles(folder, Prefix + "*")) File.Delete(file);
    }

    /// <summary>The whole patch, verified.</summary>
    /// <exception cref="InvalidDataException">The repository's patch is not the one that was signed, or there is no room for it.</exception>
    public async Task<Stream> OpenAsync(CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await FetchAsync(cancellationToken);
            }
            catch (IOException e) when (NativeFile.IsDiskFull(e))
            {
                // Another way needs no room here.
                File.Delete(FilePath);
                throw new InvalidDataException($"there is no room for a patch of {patch.Size} bytes in {folder}", e);
            }
            var file = new FileStream(FilePath, FileMode.Open, FileAccess.Read, FileShare.Read, 64 << 10);
            var hash = await SHA256.HashDataAsync(file, cancellationToken);
            if (Convert.ToHexStringLower(hash) == patch.Sha256)
            {
                file.Position = 0;
                return file;
            }
            await file.DisposeAsync();
            File.Delete(FilePath);
            if (tries == Tries) throw new InvalidDataException("the patch is damaged");
        }
    }

    private async Task FetchAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        await using var file = new FileStream(FilePath, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, 1);
        if (file.Length > patch.Size) file.SetLength(0);
        file.Position = file.Length;
        var pieces = new List<ByteRange>();
        for (var at = file.Length; at < patch.Size; at += PieceSize) pieces.Add(new ByteRange(at, (int)Math.Min(PieceSize, patch.Size - at)));
        if (pieces.Count == 0) return;
        await foreach (var piece in source.ReadRangesAsync(patch.Path, pieces, cancellationToken)) await file.WriteAsync(piece, cancellationToken);
    }
}

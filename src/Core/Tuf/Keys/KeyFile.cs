using System.Security.Cryptography;

namespace Appliance.Core.Tuf.Keys;

/// <summary>
/// A P-256 key in a file of two PEM blocks: the private key in encrypted PKCS#8 (PBES2: PBKDF2-HMAC-SHA-256, AES-256-CBC),
/// and the public key, so that looking at keys needs no passphrase. <c>openssl pkey</c> reads it.
/// </summary>
public sealed class KeyFile : ITufSigner
{
    /// <summary>Rounds of PBKDF2; OWASP's figure for HMAC-SHA-256.</summary>
    public const int Iterations = 600_000;

    private const string Suffix = ".pem", PendingSuffix = ".pem.new";
    private const int LargestFile = 16_384;

    private readonly Func<string> _passphrase;
    private ECDsa? _private;

    private KeyFile(string path, string role, TufKey key, bool pending, Func<string> passphrase) =>
        (Path, Role, Key, IsPending, _passphrase) = (path, role, key, pending, passphrase);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The role or channel it was made for.</summary>
    public string Role { get; }

    /// <inheritdoc/>
    public TufKey Key { get; }

    /// <summary>True for the new key of a rotation that is not complete.</summary>
    public bool IsPending { get; }

    /// <summary>Makes a key and its file (mode 0600).</summary>
    /// <param name="folder">Where the file goes.</param>
    /// <param name="role">The role or channel it is for.</param>
    /// <param name="pending">True for a rotation that is under way.</param>
    /// <param name="passphrase">What it is encrypted with.</param>
    public static KeyFile Create(string folder, string role, bool pending, Func<string> passphrase)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var publicKey = TufKey.From(key);
        var protection = new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, Iterations);
        var pem = $"{key.ExportEncryptedPkcs8PrivateKeyPem(passphrase(), protection)}\n{publicKey.Public}";
        var path = System.IO.Path.Combine(folder, $"{role}-{publicKey.Id[..8]}{(pending ? PendingSuffix : Suffix)}");
        if (File.Exists(path)) throw new UserError($"{path} is there already.", "It is not overwritten; run the command again.");
        DurableFile.Write(path, System.Text.Encoding.ASCII.GetBytes(pem));
        return new KeyFile(path, role, publicKey, pending, passphrase);
    }

    /// <summary>Opens a file; the passphrase is asked for when it first signs. Null: the name is not that of a key file.</summary>
    /// <exception cref="UserError">It cannot be read or holds no key.</exception>
    public static KeyFile? TryOpen(string path, Func<string> passphrase)
    {
        var name = System.IO.Path.GetFileName(path);
        var pending = name.EndsWith(PendingSuffix, StringComparison.Ordinal);
        var stem = pending ? name[..^PendingSuffix.Length] : name.EndsWith(Suffix, StringComparison.Ordinal) ? name[..^Suffix.Length] : "";
        var hyphen = stem.LastIndexOf('-');
        return hyphen > 0 && !name.StartsWith('.') ? new KeyFile(path, stem[..hyphen], ReadPublic(path), pending, passphrase) : null;
    }

    /// <inheritdoc/>
    public byte[] Sign(ReadOnlySpan<byte> canonical)
    {
        _private ??= Decrypt();
        return _private.SignData(canonical, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    /// <summary>The file's name after its rotation is complete.</summary>
    internal string ActivePath => IsPending ? Path[..^PendingSuffix.Length] + Suffix : Path;

    private ECDsa Decrypt()
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromEncryptedPem(Block(Read(Path), "ENCRYPTED PRIVATE KEY"), _passphrase());
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new UserError($"{Path} cannot be decrypted.", "The passphrase is another one, or the file is damaged.", e);
        }
        return TufKey.From(key).Id == Key.Id ? key : throw new UserError($"The public key in {Path} is not that of its private key.", "Restore the file from a backup.");
    }

    private static TufKey ReadPublic(string path)
    {
        try
        {
            using var key = ECDsa.Create();
            key.ImportFromPem(Block(Read(path), "PUBLIC KEY"));
            return TufKey.From(key);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new UserError($"{path} holds no usable P-256 key.", "Restore the file from a backup, or move it away.", e);
        }
    }

    private static string Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > LargestFile) throw new UserError($"{path} is too large for a key.", "Move it away.");
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{path} cannot be read: {e.Message}", "Run this as the user who owns the keys.", e);
        }
    }

    private static string Block(string text, string label)
    {
        var rest = text.AsSpan();
        while (PemEncoding.TryFind(rest, out var fields))
        {
            if (rest[fields.Label].SequenceEqual(label)) return rest[fields.Location].ToString();
            rest = rest[fields.Location.End..];
        }
        throw new ArgumentException($"There is no {label}.");
    }
}

using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Appliance.UpdateServer.Access;

/// <summary>
/// Secrets that the server gives out and keeps only hashes of. They have 256 random bits, so a plain SHA-256 tells nothing of them.
/// Those that are looked up say their row: <c>PREFIX_ROW_SECRET</c>.
/// </summary>
internal static class SecretToken
{
    private const int Length = 32, LongestText = 512;

    /// <summary>A new secret and its hash.</summary>
    public static (string Secret, byte[] Hash) Create()
    {
        var secret = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Length));
        return (secret, Hash(secret));
    }

    /// <summary>The hash to keep of a secret.</summary>
    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    /// <summary>Whether a secret is the one of a hash; takes the same time either way.</summary>
    public static bool Matches(string secret, byte[]? hash) => hash is not null && secret.Length <= LongestText && CryptographicOperations.FixedTimeEquals(Hash(secret), hash);

    /// <summary>A text that says its row.</summary>
    public static string Write(string prefix, long row, string secret) => string.Create(CultureInfo.InvariantCulture, $"{prefix}_{row}_{secret}");

    /// <summary>Takes such a text apart; null when it is none.</summary>
    public static (long Row, string Secret)? TryRead(string prefix, string text)
    {
        if (!text.StartsWith(prefix + "_", StringComparison.Ordinal)) return null;
        var parts = text[(prefix.Length + 1)..].Split('_', 2);
        return parts.Length == 2 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var row) ? (row, parts[1]) : null;
    }
}

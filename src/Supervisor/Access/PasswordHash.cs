using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Appliance.Supervisor.Access;

/// <summary>A password as it is kept: PBKDF2 (RFC 8018) with HMAC-SHA-256, salted; <c>pbkdf2-sha256$ITERATIONS$SALT$HASH</c> in Base64.</summary>
internal static class PasswordHash
{
    /// <summary>What OWASP's password storage cheat sheet asks of PBKDF2 with SHA-256.</summary>
    private const int Iterations = 600_000;
    private const int SaltSize = 16, HashSize = 32;
    private const string Scheme = "pbkdf2-sha256";

    /// <summary>Hashes a password; takes a large part of a second.</summary>
    public static string Of(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltSize);
        return string.Create(CultureInfo.InvariantCulture, $"{Scheme}${Iterations}${Convert.ToBase64String(salt)}${Convert.ToBase64String(Derive(password, salt, Iterations))}");
    }

    /// <summary>True when <paramref name="hash"/> is of this password; takes as long as making it did.</summary>
    public static bool Matches(string hash, string password)
    {
        if (hash.Split('$') is not [Scheme, var count, var salt, var expected] || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var iterations)) return false;
        return CryptographicOperations.FixedTimeEquals(Convert.FromBase64String(expected), Derive(password, Convert.FromBase64String(salt), iterations));
    }

    private static byte[] Derive(string password, byte[] salt, int iterations) =>
        Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(password), salt, iterations, HashAlgorithmName.SHA256, HashSize);
}

using System.IO.Enumeration;
using System.Security.Cryptography;

namespace Appliance.Core.Workloads;

/// <summary>Which images must be signed, and by whom.</summary>
/// <remarks>Set, not init: the source-generated reader would give init members that a file lacks no default.</remarks>
public sealed record SignatureRule
{
    /// <summary>Repositories it is about: <c>docker.io/library/*</c>; <c>*</c> stands for any characters.</summary>
    public string Images { get; set; } = "";

    /// <summary>The public key (PEM, ECDSA P-256) whose signature they must carry; null where that of the release suffices.</summary>
    public string? Key { get; set; }

    /// <summary>Whether it is about an image.</summary>
    public bool IsAbout(ImageReference image) => FileSystemName.MatchesSimpleExpression(Images, image.Repository, ignoreCase: false);

    /// <summary>Reads the key of a file.</summary>
    /// <returns>The key alone, in PEM.</returns>
    /// <exception cref="InvalidDataException">It is no public key of the kind that cosign makes.</exception>
    public static string ReadKey(string text)
    {
        try
        {
            var field = PemEncoding.Find(text);
            // A private key would be there for everybody to read.
            if (text[field.Label] != "PUBLIC KEY") throw new InvalidDataException($"it is a {text[field.Label]}, and PUBLIC KEY is wanted");
            using var key = ECDsa.Create();
            key.ImportFromPem(text[field.Location]);
            if (key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value != ECCurve.NamedCurves.nistP256.Oid.Value) throw new InvalidDataException("its curve is not P-256");
            return key.ExportSubjectPublicKeyInfoPem();
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }
}

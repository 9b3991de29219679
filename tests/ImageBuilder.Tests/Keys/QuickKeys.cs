using System.Security.Cryptography;
using System.Text;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Keys;
using Appliance.Core.Tuf.Publishing;

namespace ImageBuilder.Tests.Keys;

/// <summary>A folder of keys like the product's, except that few rounds protect them: a test opens dozens.</summary>
internal static class QuickKeys
{
    public const string Passphrase = "correct horse battery";

    public static KeyFolder Create(string folder, int rootKeys = 1, int rootThreshold = 1)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "root.json"), "{}");
        foreach (var role in Enumerable.Repeat("root", rootKeys).Concat(["timestamp", "snapshot", "targets", "stable"]))
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var pem = key.ExportEncryptedPkcs8PrivateKeyPem(Passphrase, new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000));
            File.WriteAllText(Path.Combine(folder, $"{role}-{TufKey.From(key).Id[..8]}.pem"), $"{pem}\n{TufKey.From(key).Public}", Encoding.ASCII);
        }
        var keys = Open(folder);
        keys.WriteRoot(RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, role => role == "root" ? rootThreshold : 1), keys, DateTimeOffset.UtcNow, TimeSpan.FromDays(365)));
        return keys;
    }

    public static KeyFolder Open(string folder, string passphrase = Passphrase) => KeyFolder.Open(folder, () => passphrase);
}

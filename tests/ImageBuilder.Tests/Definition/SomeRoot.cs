using System.Security.Cryptography;
using System.Text;
using Appliance.Core.Tuf;
using Appliance.Core.Tuf.Publishing;

namespace ImageBuilder.Tests.Definition;

/// <summary>A TUF root with one key for every role, another one each time.</summary>
internal static class SomeRoot
{
    public static string Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return Encoding.UTF8.GetString(RootDocument.CreateFirst(TufRole.TopLevel.ToDictionary(role => role, _ => 1), new OneKey(key), DateTimeOffset.UnixEpoch, TimeSpan.FromDays(1)));
    }

    private sealed class OneKey(ECDsa key) : ISignerSource, ITufSigner
    {
        public TufKey Key => TufKey.From(key);

        public byte[] Sign(ReadOnlySpan<byte> canonical) => key.SignData(canonical, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

        public IReadOnlyList<ITufSigner> SignersFor(string role) => [this];
    }
}
